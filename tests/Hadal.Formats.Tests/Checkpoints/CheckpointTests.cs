using System.Text.Json;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Config;
using Hadal.Formats.Safetensors;
using Hadal.Numerics;
using Hadal.TestKit.Gguf;

namespace Hadal.Formats.Tests.Checkpoints;

public sealed unsafe class CheckpointTests : IDisposable
{
    private readonly TestFiles _files = new();

    public static TheoryData<string> Goldens => [.. TestFiles.Goldens];

    [Theory]
    [MemberData(nameof(Goldens))]
    public void Open_Golden_TensorsHaveTheShapesOfTheConfig(string family)
    {
        using Checkpoint checkpoint = Checkpoint.Open(TestFiles.Golden(family));
        Assert.False(checkpoint.IsGguf);
        Assert.Null(checkpoint.Gguf);
        CheckShapes(checkpoint.Tensors, checkpoint.Config);
    }

    [Fact]
    public void Open_Demo_TensorsHaveTheShapesOfTheConfig()
    {
        using Checkpoint checkpoint = Checkpoint.Open(TestFiles.Demo);
        CheckShapes(checkpoint.Tensors, checkpoint.Config);
        CheckpointTensor[] listed = [.. checkpoint.ListTensors()];
        Assert.Equal(checkpoint.Tensors.Names.Order(), listed.Select(static t => t.Name).Order());
        Assert.Contains(listed, static t => t is { Name: "lm_head.weight", DType: "BF16", ByteLength: 4096 * 384 * 2, File: "model-00001-of-00003.safetensors" } && t.Shape.SequenceEqual([4096, 384]));
        Assert.True(checkpoint.ByteLength > listed.Sum(static t => t.ByteLength));
    }

    [Fact]
    public void Open_Gguf_ByFileOrFolder()
    {
        string path = Gguf("llama", "some-model.gguf");
        using (Checkpoint byFile = Checkpoint.Open(path))
        {
            Assert.True(byFile.IsGguf);
            Assert.Equal("llama", byFile.Gguf!.Metadata["general.architecture"].AsString());
            CheckShapes(byFile.Tensors, byFile.Config);
            Assert.Contains(byFile.ListTensors(), static t => t is { Name: "blk.0.attn_q.weight", DType: "BF16", File: "some-model.gguf" });
        }

        using (Checkpoint byFolder = Checkpoint.Open(_files.Folder))
        {
            Assert.True(byFolder.IsGguf);
        }

        _files.Write("other.gguf", File.ReadAllBytes(path));
        TestFiles.Refuses(() => Checkpoint.Open(_files.Folder), _files.Folder, "2 GGUF files");
    }

    [Fact]
    public void Open_NothingUsable_SaysWhatWasLookedFor()
    {
        string absent = Path.Combine(_files.Folder, "absent");
        TestFiles.Refuses(() => Checkpoint.Open(absent), absent, "no such file or folder", ".gguf", "config.json");
        TestFiles.Refuses(() => Checkpoint.Open(_files.Folder), _files.Folder, "config.json");
        TestFiles.Refuses(() => Checkpoint.Open(_files.Write("x.bin", "hello")), "x.bin", "not a GGUF file");
        TestFiles.Refuses(() => Checkpoint.Open(Path.Combine(TestFiles.Golden("llama"), "model.safetensors")), "give its folder");
        File.Copy(Path.Combine(TestFiles.Golden("llama"), "config.json"), Path.Combine(_files.Folder, "config.json"));
        TestFiles.Refuses(() => Checkpoint.Open(_files.Folder), _files.Folder, "holds no weights", "model.safetensors.index.json");
        _files.Write("model.safetensors", TestFiles.Safetensors("{", 0));
        TestFiles.Refuses(() => Checkpoint.Open(_files.Folder), "model.safetensors", "not valid JSON");
    }

    [Fact]
    public void Prefetch_And_Release_KeepTheBytes()
    {
        string path = Path.Combine(TestFiles.Golden("deepseek_v3"), "model.safetensors");
        byte[] bytes = File.ReadAllBytes(path);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        foreach (SafetensorsTensor t in file.Tensors)
        {
            Assert.True(file.TryGet(t.Name, out StoredTensor? tensor));
            MappedFile.Prefetch(tensor);
            MappedFile.Release(tensor);
            Assert.True(new ReadOnlySpan<byte>(tensor.Data, (int)tensor.ByteLength).SequenceEqual(bytes.AsSpan((int)t.Offset, (int)t.ByteLength)));
        }
    }

    public void Dispose() => _files.Dispose();

    private string Gguf(string family, string name)
    {
        using SafetensorsCheckpoint source = SafetensorsCheckpoint.Open(TestFiles.Golden(family));
        using JsonDocument config = JsonDocument.Parse(File.ReadAllText(Path.Combine(TestFiles.Golden(family), "config.json")));
        return _files.Write(name, GgufConverter.Convert(source, config.RootElement, new GgufConversion()).ToBytes());
    }

    /// <summary>Every tensor that the configuration calls for is there, in its shape; there is no other in the trunk.</summary>
    private static void CheckShapes(ITensorSource tensors, ModelConfig c)
    {
        var expected = new Dictionary<string, long[]>();
        void Linear(string name, long n, long k, bool bias = false)
        {
            expected[name + ".weight"] = [n, k];
            if (bias)
            {
                expected[name + ".bias"] = [n];
            }
        }

        void FeedForward(string name, long width, bool bias)
        {
            Linear(name + ".gate_proj", width, c.HiddenSize, bias);
            Linear(name + ".up_proj", width, c.HiddenSize, bias);
            Linear(name + ".down_proj", c.HiddenSize, width, bias);
        }

        Linear("model.embed_tokens", c.VocabSize, c.HiddenSize);
        expected["model.norm.weight"] = [c.HiddenSize];
        if (!c.TieWordEmbeddings)
        {
            Linear("lm_head", c.VocabSize, c.HiddenSize);
        }

        for (int i = 0; i < c.NumHiddenLayers; i++)
        {
            string layer = $"model.layers.{i}.";
            string attention = layer + "self_attn.";
            expected[layer + "input_layernorm.weight"] = [c.HiddenSize];
            expected[layer + "post_attention_layernorm.weight"] = [c.HiddenSize];
            if (c.Mla is { } m)
            {
                long q = (long)c.NumAttentionHeads * m.QkHeadDim;
                if (m.QLoraRank is { } rank)
                {
                    Linear(attention + "q_a_proj", rank, c.HiddenSize);
                    expected[attention + "q_a_layernorm.weight"] = [rank];
                    Linear(attention + "q_b_proj", q, rank);
                }
                else
                {
                    Linear(attention + "q_proj", q, c.HiddenSize);
                }

                Linear(attention + "kv_a_proj_with_mqa", m.KvLoraRank + m.QkRopeHeadDim, c.HiddenSize);
                expected[attention + "kv_a_layernorm.weight"] = [m.KvLoraRank];
                Linear(attention + "kv_b_proj", (long)c.NumAttentionHeads * (m.QkNopeHeadDim + m.VHeadDim), m.KvLoraRank);
                Linear(attention + "o_proj", c.HiddenSize, (long)c.NumAttentionHeads * m.VHeadDim);
            }
            else
            {
                Linear(attention + "q_proj", c.NumAttentionHeads * c.HeadDim, c.HiddenSize, c.QkvBias);
                Linear(attention + "k_proj", c.NumKeyValueHeads * c.HeadDim, c.HiddenSize, c.QkvBias);
                Linear(attention + "v_proj", c.NumKeyValueHeads * c.HeadDim, c.HiddenSize, c.QkvBias);
                Linear(attention + "o_proj", c.HiddenSize, c.NumAttentionHeads * c.HeadDim, c.OutputBias);
                if (c.ModelType == "qwen3")
                {
                    expected[attention + "q_norm.weight"] = [c.HeadDim];
                    expected[attention + "k_norm.weight"] = [c.HeadDim];
                }
            }

            if (c.Moe is not { } moe || !moe.IsMoeLayer(i))
            {
                FeedForward(layer + "mlp", c.IntermediateSize, c.MlpBias);
                continue;
            }

            Linear(layer + "mlp.gate", moe.NumRoutedExperts, c.HiddenSize);
            if (moe.TopkMethod == TopkMethod.NoauxTc)
            {
                expected[layer + "mlp.gate.e_score_correction_bias"] = [moe.NumRoutedExperts];
            }

            FeedForward(layer + "mlp.shared_experts", (long)moe.NumSharedExperts * moe.MoeIntermediateSize, false);
            for (int e = 0; e < moe.NumRoutedExperts; e++)
            {
                FeedForward($"{layer}mlp.experts.{e}", moe.MoeIntermediateSize, false);
            }
        }

        foreach ((string name, long[] shape) in expected.ToArray())
        {
            Assert.True(tensors.TryGet(name, out StoredTensor? t), name);
            Assert.Equal(shape, t.Shape);
            if (t.DType == DType.F8E4M3)
            {
                (int rows, int columns) = c.Fp8BlockSize!.Value;
                expected[name + "_scale_inv"] = [(shape[0] + rows - 1) / rows, (shape[1] + columns - 1) / columns];
            }
        }

        foreach (string name in tensors.Names.Where(n => !n.StartsWith($"model.layers.{c.NumHiddenLayers}.", StringComparison.Ordinal)))
        {
            Assert.True(expected.TryGetValue(name, out long[]? shape), $"{name} is not called for");
            Assert.True(tensors.TryGet(name, out StoredTensor? t));
            Assert.Equal(shape, t.Shape);
        }
    }
}
