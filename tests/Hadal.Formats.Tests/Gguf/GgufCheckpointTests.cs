using System.Text.Json;
using Hadal.Formats.Config;
using Hadal.Formats.Gguf;
using Hadal.Formats.Safetensors;
using Hadal.Formats.Tests.Checkpoints;
using Hadal.Numerics;
using Hadal.TestKit.Gguf;

namespace Hadal.Formats.Tests.Gguf;

public sealed unsafe class GgufCheckpointTests : IDisposable
{
    private readonly TestFiles _files = new();

    public static TheoryData<string, DType, bool, bool> Conversions
    {
        get
        {
            var data = new TheoryData<string, DType, bool, bool>();
            foreach (string family in (string[])["llama", "qwen2", "qwen3", "deepseek_v2", "deepseek_v2_lite", "deepseek_v3"])
            {
                data.Add(family, DType.Bf16, true, false);
                data.Add(family, DType.F32, true, true);
                if (family.StartsWith("deepseek", StringComparison.Ordinal))
                {
                    data.Add(family, DType.Bf16, false, false);
                    data.Add(family, DType.Bf16, false, true);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Conversions))]
    public void Open_ConvertedGolden_GivesBackTensorsAndConfig(string family, DType type, bool splitKvB, bool mergeGateUp)
    {
        using SafetensorsCheckpoint source = SafetensorsCheckpoint.Open(TestFiles.Golden(family));
        var how = new GgufConversion { WeightType = type, SplitKvB = splitKvB, MergeGateUp = mergeGateUp, GatingFunc = !mergeGateUp };
        using GgufCheckpoint gguf = Convert(source, family, how);

        ModelConfig expected = ModelConfigReader.FromFolder(TestFiles.Golden(family));
        string[] trunk = [.. source.Names.Where(n => !IsPredictionLayer(n, expected.NumHiddenLayers))];
        Assert.Equal(trunk.Order(StringComparer.Ordinal), gguf.Names.Order(StringComparer.Ordinal));
        foreach (string name in trunk)
        {
            (float[] values, long[] shape) = GgufConverter.Read(source, name);
            if (family == "llama" && (name.Contains("q_proj") || name.Contains("k_proj")))
            {
                values = GgufConverter.Permute(values, shape, name.Contains("q_proj") ? expected.NumAttentionHeads : expected.NumKeyValueHeads);
            }

            Assert.True(gguf.TryGet(name, out StoredTensor? tensor), name);
            Assert.Equal(shape, tensor.Shape);
            Assert.Equal(tensor.DType.RowBytes(tensor.NumElements), tensor.ByteLength);
            Assert.Equal(values, ToSingle(tensor));
            Assert.Equal(shape.Length == 1 || name.EndsWith("mlp.gate.weight", StringComparison.Ordinal) ? DType.F32 : type, tensor.DType);
        }

        // What the file cannot say: that prediction layers were dropped, and Llama 3's scaling but as divisors.
        expected = expected with { NumNextnPredictLayers = 0, EosTokenIds = gguf.Config.EosTokenIds };
        if (family == "llama")
        {
            using JsonDocument config = JsonDocument.Parse(File.ReadAllText(Path.Combine(TestFiles.Golden(family), "config.json")));
            Assert.Equal(GgufConverter.Llama3Factors(config.RootElement.GetProperty("rope_parameters"), 16), gguf.Config.Rope.FrequencyFactors);
            expected = expected with
            {
                Rope = new RopeConfig { Type = RopeType.Default, Theta = 500000, Interleaved = true, OriginalMaxPositionEmbeddings = 1024, FrequencyFactors = gguf.Config.Rope.FrequencyFactors },
            };
        }

        Assert.Equal(expected, gguf.Config);
        Assert.Equal(ModelConfigReader.FromFolder(TestFiles.Golden(family)).EosTokenIds, gguf.Config.EosTokenIds);
    }

    [Theory]
    [InlineData(DType.F16)]
    [InlineData(DType.Q8_0)]
    [InlineData(DType.Q4_0)]
    [InlineData(DType.Q4_1)]
    [InlineData(DType.Q5_0)]
    [InlineData(DType.Q5_1)]
    public void Open_QuantisedGolden_GivesValuesNearTheSource(DType type)
    {
        using SafetensorsCheckpoint source = SafetensorsCheckpoint.Open(TestFiles.Golden("deepseek_v3"));
        using GgufCheckpoint gguf = Convert(source, "deepseek_v3", new GgufConversion { WeightType = type });
        var types = new HashSet<DType>();
        foreach (string name in gguf.Names)
        {
            Assert.True(gguf.TryGet(name, out StoredTensor? tensor), name);
            (float[] values, long[] shape) = GgufConverter.Read(source, name);
            Assert.Equal(shape, tensor.Shape);
            types.Add(tensor.DType);
            float[] actual = ToSingle(tensor);
            double error = 0;
            double norm = 0;
            for (int i = 0; i < values.Length; i++)
            {
                error += Math.Pow(values[i] - actual[i], 2);
                norm += Math.Pow(values[i], 2);
            }

            Assert.True(error <= 0.01 * norm, $"{name}: relative error {Math.Sqrt(error / norm):P1}");
        }

        Assert.Contains(type, types);
    }

    [Fact]
    public void TryGet_Expert_IsAViewIntoTheMergedTensor()
    {
        using SafetensorsCheckpoint source = SafetensorsCheckpoint.Open(TestFiles.Golden("deepseek_v2"));
        using GgufCheckpoint gguf = Convert(source, "deepseek_v2", new GgufConversion());
        Assert.True(gguf.Files[0].TryGetTensor("blk.1.ffn_up_exps.weight", out GgufTensorInfo? merged));
        Assert.True(gguf.TryGet("model.layers.1.mlp.experts.5.up_proj.weight", out StoredTensor? expert));
        Assert.Equal(5 * 32 * 64 * 2, (nint)expert.Data - (nint)gguf.Files[0].DataOf(merged));
    }

    [Fact]
    public void TryGet_SplitKvB_IsJoinedOnce()
    {
        using SafetensorsCheckpoint source = SafetensorsCheckpoint.Open(TestFiles.Golden("deepseek_v2"));
        using GgufCheckpoint gguf = Convert(source, "deepseek_v2", new GgufConversion());
        Assert.True(gguf.TryGet("model.layers.0.self_attn.kv_b_proj.weight", out StoredTensor? first));
        Assert.True(gguf.TryGet("model.layers.0.self_attn.kv_b_proj.weight", out StoredTensor? second));
        Assert.Same(first, second);
    }

    [Fact]
    public void TryGet_UnreadableType_IsRefusedOnlyWhenAsked()
    {
        using GgufCheckpoint gguf = Open("llama", static w =>
        {
            w.RemoveTensor("blk.1.ffn_up.weight");
            w.AddTensor("blk.1.ffn_up.weight", 16, [256, 24], new byte[66 * 24]);
        });
        Assert.True(gguf.TryGet("model.layers.0.mlp.up_proj.weight", out _));
        TestFiles.Refuses(() => gguf.TryGet("model.layers.1.mlp.up_proj.weight", out _), "model.gguf", "'blk.1.ffn_up.weight'", "IQ2_XXS", "Q4_K");
    }

    [Fact]
    public void Open_SplitModel_JoinsTheParts()
    {
        using SafetensorsCheckpoint source = SafetensorsCheckpoint.Open(TestFiles.Golden("qwen3"));
        GgufWriter whole = Writer(source, "qwen3", new GgufConversion());
        string wholePath = _files.Write("whole.gguf", whole.ToBytes());
        using GgufCheckpoint expected = GgufCheckpoint.Open(wholePath);

        // The first part has the metadata and no tensors, as llama.cpp's --no-tensor-first-split does; two more share the tensors.
        GgufWriter first = Writer(source, "qwen3", new GgufConversion());
        var parts = new GgufWriter[] { first, new(), new() };
        int i = 0;
        foreach (GgufTensorInfo t in expected.Files[0].Tensors)
        {
            first.RemoveTensor(t.Name);
            parts[1 + (i++ % 2)].AddTensor(t.Name, t.DType == DType.F32 ? 0u : 30u, [.. t.Shape.Reverse().Select(static d => (ulong)d)], new ReadOnlySpan<byte>(expected.Files[0].DataOf(t), (int)t.ByteLength).ToArray());
        }

        for (int p = 0; p < 3; p++)
        {
            parts[p].AddRaw("split.no", 2, BitConverter.GetBytes((ushort)p)).AddRaw("split.count", 2, BitConverter.GetBytes((ushort)3)).Add("split.tensors.count", i);
            _files.Write($"m-{p + 1:D5}-of-00003.gguf", parts[p].ToBytes());
        }

        string path = Path.Combine(_files.Folder, "m-00001-of-00003.gguf");
        using (GgufCheckpoint joined = GgufCheckpoint.Open(path))
        {
            Assert.Equal(expected.Names.Order(), joined.Names.Order());
            Assert.Equal(expected.Config with { EosTokenIds = joined.Config.EosTokenIds }, joined.Config);
            foreach (string name in expected.Names)
            {
                Assert.True(expected.TryGet(name, out StoredTensor? a));
                Assert.True(joined.TryGet(name, out StoredTensor? b));
                Assert.Equal(ToSingle(a), ToSingle(b));
            }
        }

        string third = Path.Combine(_files.Folder, "m-00003-of-00003.gguf");
        TestFiles.Refuses(() => GgufCheckpoint.Open(third), third, "part 3", "-00001-of-00003.gguf");
        File.Copy(Path.Combine(_files.Folder, "m-00002-of-00003.gguf"), third, overwrite: true);
        TestFiles.Refuses(() => GgufCheckpoint.Open(path), third, "another part than 3");
        File.Delete(third);
        TestFiles.Refuses(() => GgufCheckpoint.Open(path), third, "is missing");
    }

    public static TheoryData<string, Action<GgufWriter>, string[]> Broken => new()
    {
        { "llama", static w => w.Remove("general.architecture"), ["general.architecture", "missing"] },
        { "llama", static w => Replace(w, "general.architecture", "gemma"), ["general.architecture", "'gemma'", "llama, qwen2, qwen3, deepseek2"] },
        { "llama", static w => w.Remove("llama.block_count"), ["'llama.block_count'", "missing"] },
        { "llama", static w => Replace(w, "llama.block_count", "three"), ["'llama.block_count'", "a String"] },
        { "llama", static w => Replace(w, "llama.block_count", 0u), ["'llama.block_count'", "is 0"] },
        { "llama", static w => Replace(w, "llama.block_count", uint.MaxValue), ["'llama.block_count'", "4294967295"] },
        { "llama", static w => Replace(w, "llama.attention.head_count", 3u), ["num_attention_heads", "num_key_value_heads (2)"] },
        { "llama", static w => w.Add("llama.expert_count", 8u), ["'llama.expert_count'", "dense"] },
        { "llama", static w => w.Add("llama.rope.dimension_count", 8u), ["'llama.rope.dimension_count'", "is 8", "16"] },
        { "llama", static w => Replace(w, "llama.attention.value_length", 8u), ["'llama.attention.value_length'", "(16)"] },
        { "llama", static w => Replace(w, "llama.attention.layer_norm_rms_epsilon", float.NaN), ["layer_norm_rms_epsilon", "NaN"] },
        { "llama", static w => w.Remove("llama.attention.layer_norm_rms_epsilon"), ["layer_norm_rms_epsilon", "missing"] },
        { "llama", static w => w.Add("llama.rope.scaling.type", "longrope"), ["'llama.rope.scaling.type'", "'longrope'"] },
        { "llama", static w => w.Add("llama.rope.scaling.type", "linear").Add("llama.rope.scaling.factor", 0.25f), ["'llama.rope.scaling.factor'", "0.25"] },
        { "llama", static w => { w.RemoveTensor("rope_freqs.weight"); w.AddTensor("rope_freqs.weight", 0, [7], new byte[28]); }, ["'rope_freqs.weight'", "F32 [8]"] },
        { "llama", static w => { w.RemoveTensor("rope_freqs.weight"); w.AddTensor("rope_freqs.weight", 0, [8], new byte[32]); }, ["'rope_freqs.weight'", "holds 0"] },
        { "llama", static w => { w.Remove("llama.feed_forward_length"); w.Add("llama.feed_forward_length", [96, 96, 64]); }, ["'llama.feed_forward_length'", "differs between layers"] },
        { "deepseek_v3", static w => w.Remove("deepseek2.attention.kv_lora_rank"), ["kv_lora_rank", "missing"] },
        { "deepseek_v3", static w => Replace(w, "deepseek2.attention.key_length_mla", 8u), ["key_length_mla", "is 8", "rope.dimension_count (8)"] },
        { "deepseek_v3", static w => w.Remove("deepseek2.attention.value_length_mla"), ["value_length_mla", "missing"] },
        { "deepseek_v3", static w => Replace(w, "deepseek2.expert_gating_func", 3u), ["expert_gating_func", "is 3"] },
        { "deepseek_v3", static w => Replace(w, "deepseek2.expert_count", 12u), ["_exps.weight", "12 experts"] },
        { "deepseek_v3", static w => Replace(w, "deepseek2.expert_used_count", 9u), ["num_experts_per_tok", "at most 8"] },
        { "deepseek_v3", static w => Replace(w, "deepseek2.expert_group_count", 3u), ["n_routed_experts", "n_group (3)"] },
        { "deepseek_v3", static w => Replace(w, "deepseek2.rope.scaling.yarn_beta_fast", 1f), ["yarn_beta_fast", "yarn_beta_slow (1)"] },
        { "deepseek_v3", static w => w.RemoveTensor("blk.1.attn_v_b.weight"), ["blk.1.attn_k_b.weight", "no blk.1.attn_v_b.weight"] },
        { "deepseek_v3", static w => w.AddTensor("blk.1.exp_probs_b", 0, [16], new byte[64]), ["'blk.1.exp_probs_b'", "e_score_correction_bias"] },
        { "deepseek_v3", static w => w.Add("deepseek2.nextn_predict_layers", 3u), ["block_count", "nextn_predict_layers (3)"] },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public void Open_BrokenModel_NamesFileAndFault(string family, Action<GgufWriter> breakIt, string[] said)
        => TestFiles.Refuses(() => Open(family, breakIt).Dispose(), ["model.gguf", .. said]);

    [Fact]
    public void TryGet_MisshapenKeyHalf_IsRefused()
    {
        using GgufCheckpoint gguf = Open("deepseek_v3", static w =>
        {
            w.RemoveTensor("blk.1.attn_k_b.weight");
            w.AddTensor("blk.1.attn_k_b.weight", 0, [16, 32, 3], new byte[16 * 32 * 3 * 4]);
        });
        TestFiles.Refuses(() => gguf.TryGet("model.layers.1.self_attn.kv_b_proj.weight", out _), "attn_k_b", "[3, 32, 16]", "[4, 32, 16]");
    }

    [Fact]
    public void Read_PublishedSizesWithoutGroupKeys_KnowTheirGroups()
    {
        ModelConfig c = Open("deepseek_v3", static w =>
        {
            foreach (string key in (string[])["expert_group_count", "expert_group_used_count"])
            {
                w.Remove("deepseek2." + key);
            }
        }).Config;
        Assert.Equal((1, 1, TopkMethod.NoauxTc), (c.Moe!.NumGroups, c.Moe.TopkGroup, c.Moe.TopkMethod));
    }

    public void Dispose() => _files.Dispose();

    private static void Replace(GgufWriter w, string key, uint value)
    {
        w.Remove(key);
        w.Add(key, value);
    }

    private static void Replace(GgufWriter w, string key, float value)
    {
        w.Remove(key);
        w.Add(key, value);
    }

    private static void Replace(GgufWriter w, string key, string value)
    {
        w.Remove(key);
        w.Add(key, value);
    }

    private static bool IsPredictionLayer(string name, int layers)
        => name.StartsWith("model.layers.", StringComparison.Ordinal) && int.Parse(name.Split('.')[2]) >= layers;

    private static float[] ToSingle(StoredTensor t)
    {
        float[] values = new float[t.NumElements];
        BlockDequantizer.ToSingle(t.DType, t.Data, values);
        return values;
    }

    private static GgufWriter Writer(SafetensorsCheckpoint source, string family, GgufConversion how)
    {
        using JsonDocument config = JsonDocument.Parse(File.ReadAllText(Path.Combine(TestFiles.Golden(family), "config.json")));
        return GgufConverter.Convert(source, config.RootElement, how);
    }

    private GgufCheckpoint Convert(SafetensorsCheckpoint source, string family, GgufConversion how)
        => GgufCheckpoint.Open(_files.Write("model.gguf", Writer(source, family, how).ToBytes()));

    private GgufCheckpoint Open(string family, Action<GgufWriter> change)
    {
        using SafetensorsCheckpoint source = SafetensorsCheckpoint.Open(TestFiles.Golden(family));
        GgufWriter w = Writer(source, family, new GgufConversion());
        change(w);
        return GgufCheckpoint.Open(_files.Write("model.gguf", w.ToBytes()));
    }
}
