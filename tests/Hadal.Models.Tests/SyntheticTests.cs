using Hadal.Formats.Config;
using Hadal.Graph.Cpu;
using Hadal.Graph.Execution;
using Hadal.Graph.Ir;
using Hadal.Jit;
using Hadal.Kernels.Weights;
using Hadal.Models.Loading;
using Hadal.Models.Synthetic;
using Hadal.Numerics;

namespace Hadal.Models.Tests;

/// <summary>Made-up weights: their values stay of the size they should be, and what cannot be of the type asked for is said.</summary>
public sealed unsafe class SyntheticTests
{
    public static TheoryData<DType> AllTypes() =>
        [DType.F32, DType.F16, DType.Bf16, DType.F8E4M3, DType.I8, DType.Q8_0, DType.Q4_0, DType.Q4_1, DType.Q5_0, DType.Q5_1, DType.Q4_K, DType.Q5_K, DType.Q6_K];

    public static TheoryData<DType> PackedTypes() =>
        [DType.Bf16, DType.F8E4M3, DType.I8, DType.Q8_0, DType.Q4_0, DType.Q4_1, DType.Q4_K, DType.Q6_K];

    [Theory]
    [InlineData(DType.Q8_0)]
    [InlineData(DType.Q4_0)]
    [InlineData(DType.Q4_1)]
    [InlineData(DType.Q5_0)]
    [InlineData(DType.Q5_1)]
    [InlineData(DType.Q4_K)]
    [InlineData(DType.Q5_K)]
    [InlineData(DType.Q6_K)]
    public void Blocks_OfAnyType_HaveMeanZeroAndVarianceOneOverK(DType dtype)
    {
        ModelConfig config = Small("deepseek-r1-distill-qwen-1.5b");
        using var source = new SyntheticTensors(ModelCatalog.Find(config).Build(config), dtype);
        foreach ((string name, int k) in new[] { ("model.layers.0.mlp.up_proj.weight", 1536), ("model.layers.1.mlp.down_proj.weight", 8960), ("model.embed_tokens.weight", 1536) })
        {
            Assert.True(source.TryGet(name, out StoredTensor? tensor));
            Assert.Equal(dtype, tensor.DType);
            (double mean, double variance) = Moments(tensor, k);
            Assert.InRange(variance * k, 0.97, 1.03);
            Assert.InRange(mean * Math.Sqrt(k), -0.02, 0.02);
        }
    }

    [Theory]
    [MemberData(nameof(AllTypes))]
    public void List_SaysWhatIsMade(DType dtype)
    {
        ModelConfig config = Small("deepseek-v2-lite-small");
        using var source = new SyntheticTensors(ModelCatalog.Find(config).Build(config), dtype);
        var listed = source.List().ToList();
        Assert.True(source.Names.Count <= listed.Count);
        foreach ((string name, DType type, long[] shape, long bytes) in listed)
        {
            Assert.True(source.TryGet(name, out StoredTensor? tensor), name);
            Assert.Equal(type, tensor.DType);
            Assert.Equal(shape, tensor.Shape);
            Assert.Equal(bytes, tensor.ByteLength);
            source.Release(tensor);
        }
    }

    [Theory]
    [InlineData("deepseek-v2-lite", DType.Q4_K, DType.Q8_0)]
    [InlineData("deepseek-v2-lite", DType.Q5_K, DType.Q5_1)]
    [InlineData("deepseek-v2-lite", DType.Q6_K, DType.Q8_0)]
    [InlineData("deepseek-v2-lite", DType.Q4_0, null)]
    [InlineData("deepseek-r1-distill-qwen-1.5b", DType.Q4_K, null)]
    public void Fallbacks_AreOfRowsThatAreNotWholeBlocks(string shape, DType dtype, DType? expected)
    {
        ModelConfig config = SyntheticModels.Find(shape, 2);
        ModelGraph graph = ModelCatalog.Find(config).Build(config);
        using var source = new SyntheticTensors(graph, dtype);
        var fallbacks = source.Fallbacks().ToList();
        if (expected is null)
        {
            Assert.Empty(fallbacks);
            return;
        }

        // Down projections of the experts (1408 columns) and of the dense layer (10944).
        Assert.Equal([(expected.Value, 65)], fallbacks);
        var types = source.List().ToDictionary(t => t.Name, t => t.DType);
        Assert.Equal(expected, types["model.layers.1.mlp.experts.7.down_proj.weight"]);
        Assert.Equal(dtype, types["model.layers.1.mlp.experts.7.up_proj.weight"]);
        Assert.Equal(DType.F32, types["model.layers.1.mlp.gate.weight"]);
        Assert.Equal(dtype, types["lm_head.weight"]);
    }

    [Fact]
    public void V2LiteSmall_HasTheHeadsOfV2LiteAndItsSize()
    {
        ModelConfig small = SyntheticModels.Find("deepseek-v2-lite-small");
        ModelConfig lite = SyntheticModels.Find("deepseek-v2-lite");
        Assert.Equal(lite.Mla, small.Mla);
        Assert.Equal((lite.NumHiddenLayers, lite.NumAttentionHeads), (small.NumHiddenLayers, small.NumAttentionHeads));
        Assert.InRange(ModelCatalog.Find(small).Build(small).Weights.Sum(w => w.NumElements), 1_555_000_000, 1_565_000_000);
    }

    [Theory]
    [MemberData(nameof(PackedTypes))]
    public void Logits_Packed_AreNearThoseComputedAsStored(DType dtype)
    {
        Assert.SkipUnless(CpuFeatures.Detect() is { Avx512Vnni: true, Avx512Bf16: true }, "this machine has no such instructions, or they are switched off");
        ModelConfig config = Small("deepseek-r1-distill-qwen-1.5b");
        float[] stored = Logits(config, dtype, pack: false);
        float[] packed = Logits(config, dtype, pack: true);
        double mean = 0;
        double square = 0;
        for (int i = 0; i < stored.Length; i++)
        {
            mean += Math.Abs(packed[i] - stored[i]) / stored.Length;
            square += (double)stored[i] * stored[i] / stored.Length;
        }

        // The size of what comes out is that of a normed vector times weights of variance 1/K.
        Assert.InRange(Math.Sqrt(square), 0.5, 2);
        // I8 rounds activations over 256 columns, the others over 32 at most or to bf16.
        Assert.InRange(mean / Math.Sqrt(square), 0, 0.02);
    }

    [Theory]
    [MemberData(nameof(AllTypes))]
    public void Logits_OfAMixture_AreFiniteAndOfUnitSize(DType dtype)
    {
        // Its random routers choose between near-equal scores, so that packed and unpacked logits cannot be compared.
        ModelConfig config = Small("deepseek-v2-lite-small");
        foreach (bool pack in new[] { false, true })
        {
            float[] logits = Logits(config, dtype, pack);
            Assert.InRange(Math.Sqrt(logits.Sum(v => (double)v * v) / logits.Length), 0.5, 2);
        }
    }

    private static ModelConfig Small(string name) => SyntheticModels.Find(name, 2) with { VocabSize = 512 };

    private static float[] Logits(ModelConfig config, DType dtype, bool pack)
    {
        using var source = new SyntheticTensors(ModelCatalog.Find(config).Build(config), dtype);
        using LoadedModel model = ModelLoader.Load(config with { Fp8BlockSize = source.Fp8BlockSize }, source, new LoadOptions
        {
            Cpu = new CpuOptions { Threads = 2, Pack = pack, Preload = false },
            MaxContextLen = 32,
            MaxSequences = 1,
        });
        using var batch = new StepBatch(16);
        int[] ids = [.. Enumerable.Range(0, 9).Select(i => i * 53 % config.VocabSize)];
        batch.Reset(1, 2);
        batch.AddSequence(ids, 0, [1, 0], LogitsWanted.All);
        return model.Runner.Run(batch).ToArray();
    }

    private static (double Mean, double Variance) Moments(StoredTensor tensor, int k)
    {
        int rows = (int)tensor.Shape[0];
        var matrix = new WeightMatrix { Data = tensor.Data, DType = tensor.DType, Rows = rows, Columns = k, RowBytes = (nint)tensor.DType.RowBytes(k) };
        float[] row = new float[k];
        double sum = 0;
        double square = 0;
        fixed (float* p = row)
        {
            for (int r = 0; r < rows; r++)
            {
                WeightDecoder.DecodeRow(matrix, r, 0, k, p);
                foreach (float v in row)
                {
                    sum += v;
                    square += (double)v * v;
                }
            }
        }

        double count = (double)rows * k;
        return (sum / count, square / count);
    }
}
