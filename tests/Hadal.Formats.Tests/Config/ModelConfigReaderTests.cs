using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hadal.Formats.Config;
using Hadal.Formats.Tests.Checkpoints;

namespace Hadal.Formats.Tests.Config;

public sealed class ModelConfigReaderTests
{
    /// <summary>Family, key with dots for nesting, JSON of the new value (null: remove the key), what the message must say.</summary>
    public static TheoryData<string, string, string?, string[]> Broken => new()
    {
        { "llama", "model_type", "\"gpt2\"", ["model_type", "'gpt2'", "deepseek_v2, deepseek_v3, llama, qwen2, qwen3"] },
        { "deepseek_v3", "model_type", "\"deepseek_v32\"", ["'deepseek_v32'", "supported are"] },
        { "deepseek_v3", "architectures", "[\"DeepseekV32ForCausalLM\"]", ["architectures", "DeepseekV3ForCausalLM"] },
        { "qwen2", "architectures", "[\"Qwen2ForSequenceClassification\"]", ["architectures", "Qwen2ForCausalLM"] },
        { "llama", "architectures", "\"LlamaForCausalLM\"", ["architectures", "expected an array"] },
        { "llama", "model_type", "5", ["model_type", "'5'", "expected a string"] },
        { "llama", "hidden_size", null, ["hidden_size", "missing"] },
        { "llama", "hidden_size", "-64", ["hidden_size", "'-64'"] },
        { "llama", "hidden_size", "0", ["hidden_size", "'0'"] },
        { "llama", "hidden_size", "1e18", ["hidden_size", "'1e18'"] },
        { "llama", "hidden_size", "1e999", ["hidden_size", "'1e999'"] },
        { "llama", "hidden_size", "64.5", ["hidden_size", "'64.5'"] },
        { "llama", "hidden_size", "\"64\"", ["hidden_size", "expected a whole number"] },
        { "llama", "hidden_size", "[64]", ["hidden_size", "an array"] },
        { "llama", "num_hidden_layers", "1000000", ["num_hidden_layers"] },
        { "llama", "vocab_size", "2000000000", ["vocab_size"] },
        { "llama", "num_attention_heads", "99999", ["num_attention_heads", "'99999'"] },
        { "llama", "num_key_value_heads", "3", ["num_attention_heads", "a multiple of num_key_value_heads (3)"] },
        { "llama", "head_dim", "15", ["head_dim", "an even number"] },
        { "qwen2", "hidden_size", "50", ["hidden_size", "num_attention_heads 6"] },
        { "llama", "hidden_act", "\"gelu\"", ["hidden_act", "'gelu'", "silu"] },
        { "llama", "rms_norm_eps", "0", ["rms_norm_eps"] },
        { "llama", "tie_word_embeddings", "1", ["tie_word_embeddings", "expected true or false"] },
        { "llama", "eos_token_id", "256", ["eos_token_id", "'256'", "255"] },
        { "llama", "eos_token_id", "[1, -2]", ["eos_token_id", "'-2'"] },
        { "llama", "bos_token_id", "70000", ["bos_token_id"] },
        { "llama", "rope_parameters", "7", ["rope_parameters", "expected an object"] },
        { "llama", "rope_parameters.rope_theta", "0", ["rope_parameters.rope_theta"] },
        { "llama", "rope_parameters.factor", null, ["rope_parameters.factor", "missing"] },
        { "llama", "rope_parameters.factor", "0.5", ["rope_parameters.factor", "'0.5'"] },
        { "llama", "rope_parameters.rope_type", "\"longrope\"", ["rope_type", "'longrope'", "yarn"] },
        { "llama", "rope_parameters.high_freq_factor", "1.0", ["high_freq_factor", "low_freq_factor (1)"] },
        { "llama", "rope_parameters.partial_rotary_factor", "0.5", ["partial_rotary_factor"] },
        { "llama", "rope_parameters.full_attention", "{\"rope_type\":\"default\"}", ["full_attention", "per layer type"] },
        { "deepseek_v3", "rope_parameters.beta_fast", "1", ["beta_fast", "beta_slow (1)"] },
        { "llama", "quantization_config", "{\"quant_method\":\"gptq\",\"bits\":4}", ["quantization_config.quant_method", "'gptq'", "fp8"] },
        { "llama", "quantization_config", "{}", ["quantization_config.quant_method", "missing"] },
        { "deepseek_v3_fp8", "quantization_config.weight_block_size", null, ["weight_block_size", "missing", "one scale per tensor"] },
        { "deepseek_v3_fp8", "quantization_config.weight_block_size", "[128]", ["weight_block_size", "one number"] },
        { "deepseek_v3_fp8", "quantization_config.weight_block_size", "[128, 0]", ["weight_block_size", "'0'"] },
        { "deepseek_v3_fp8", "quantization_config.fmt", "\"e5m2\"", ["fmt", "'e5m2'"] },
        { "qwen2", "use_sliding_window", "true", [] },
        { "qwen2", "layer_types", "[\"linear_attention\"]", ["layer_types", "'linear_attention'"] },
        { "deepseek_v3", "q_lora_rank", null, ["q_lora_rank", "missing"] },
        { "deepseek_v3", "kv_lora_rank", "\"x\"", ["kv_lora_rank"] },
        { "deepseek_v3", "qk_rope_head_dim", "7", ["qk_rope_head_dim", "an even number"] },
        { "deepseek_v3", "num_key_value_heads", "2", ["num_key_value_heads", "num_attention_heads (4)"] },
        { "deepseek_v3", "attention_bias", "true", ["attention_bias"] },
        { "deepseek_v3", "n_routed_experts", "15", ["n_routed_experts", "a multiple of n_group (4)"] },
        { "deepseek_v3", "n_routed_experts", null, ["n_routed_experts", "missing"] },
        { "deepseek_v3", "topk_group", "5", ["topk_group", "at most n_group (4)"] },
        { "deepseek_v3", "num_experts_per_tok", "9", ["num_experts_per_tok", "at most 8"] },
        { "deepseek_v3", "n_group", "16", ["num_experts_per_tok", "at most 2"] },
        { "deepseek_v3", "first_k_dense_replace", "4", ["first_k_dense_replace", "num_hidden_layers (3)"] },
        { "deepseek_v3", "moe_layer_freq", "0", ["moe_layer_freq"] },
        { "deepseek_v3", "scoring_func", "\"softmax\"", ["scoring_func", "'softmax'", "sigmoid"] },
        { "deepseek_v3", "topk_method", "\"greedy\"", ["topk_method", "noaux_tc"] },
        { "deepseek_v2", "topk_method", "\"noaux_tc\"", ["topk_method", "group_limited_greedy"] },
        { "deepseek_v2", "n_group", null, ["n_group", "missing", "group_limited_greedy"] },
        { "deepseek_v2", "routed_scaling_factor", "-1", ["routed_scaling_factor"] },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public void FromJson_OneBadValue_NamesKeyAndFault(string family, string key, string? json, string[] said)
    {
        JsonObject root = Load(family);
        string[] path = key.Split('.');
        JsonObject at = root;
        foreach (string step in path[..^1])
        {
            at = at[step]!.AsObject();
        }

        at.Remove(path[^1]);
        string text = root.ToJsonString();
        if (json is not null)
        {
            at[path[^1]] = "@@";
            text = root.ToJsonString().Replace("\"@@\"", json);
        }

        if (key == "use_sliding_window")
        {
            // Only refused together with a window that is shorter than the context.
            Assert.NotNull(ModelConfigReader.FromJson(Encoding.UTF8.GetBytes(text)));
            text = text.Replace("\"sliding_window\":null", "\"sliding_window\":32").Replace("\"max_window_layers\":28", "\"max_window_layers\":2");
            said = ["use_sliding_window", "32 tokens", "1024"];
        }

        TestFiles.Refuses(() => ModelConfigReader.FromJson(Encoding.UTF8.GetBytes(text)), ["config.json", .. said]);
    }

    [Theory]
    [InlineData("{\"a\":1,\"a\":2}", "not valid JSON: ")]
    [InlineData("{\"model_type\":\"llama\",\"model_type\":\"llama\"}", "not valid JSON: ")]
    [InlineData("[]", "not a JSON object")]
    [InlineData("", "not valid JSON")]
    [InlineData("{\"model_type\":\"llama\"", "line 1")]
    [InlineData("{\"model_type\":\"\\ud800\"}", "not valid Unicode")]
    [InlineData("{\"\\ud800\":1,\"model_type\":\"llama\"}", "config.json")]
    [InlineData("{}", "model_type")]
    public void FromJson_BrokenText_SaysSo(string json, string said)
        => TestFiles.Refuses(() => ModelConfigReader.FromJson(Encoding.UTF8.GetBytes(json)), "config.json", said);

    [Fact]
    public void FromJson_DeepOrInvalidUtf8_IsRefused()
    {
        byte[] deep = Encoding.UTF8.GetBytes("{\"x\":" + new string('[', 100_000) + new string(']', 100_000) + "}");
        TestFiles.Refuses(() => ModelConfigReader.FromJson(deep), "not valid JSON");
        TestFiles.Refuses(() => ModelConfigReader.FromJson(new byte[] { (byte)'{', 0xFF, (byte)'}' }), "not valid UTF-8");
    }

    [Fact]
    public void FromFolder_GoldensAndDemo_AreReadAsTheySay()
    {
        ModelConfig v3 = ModelConfigReader.FromFolder(TestFiles.Golden("deepseek_v3"));
        Assert.Equal(("deepseek_v3", 256, 64, 96, 3, 4, 4), (v3.ModelType, v3.VocabSize, v3.HiddenSize, v3.IntermediateSize, v3.NumHiddenLayers, v3.NumAttentionHeads, v3.NumKeyValueHeads));
        Assert.Equal(new MlaConfig(24, 32, 16, 8, 16), v3.Mla);
        Assert.Equal(24, v3.Mla!.QkHeadDim);
        Assert.Equal((ScoringFunc.Sigmoid, TopkMethod.NoauxTc, 16, 4, 4, 2, true, 2.5f, 1, 1), (v3.Moe!.ScoringFunc, v3.Moe.TopkMethod, v3.Moe.NumRoutedExperts, v3.Moe.NumExpertsPerTok, v3.Moe.NumGroups, v3.Moe.TopkGroup, v3.Moe.NormTopkProb, v3.Moe.RoutedScalingFactor, v3.Moe.NumSharedExperts, v3.Moe.FirstKDenseReplace));
        Assert.Equal(new RopeConfig { Type = RopeType.Yarn, Theta = 10000, Interleaved = true, Factor = 40, OriginalMaxPositionEmbeddings = 64, BetaFast = 32, BetaSlow = 1, Mscale = 1, MscaleAllDim = 1 }, v3.Rope);
        Assert.Equal(1, v3.NumNextnPredictLayers);
        Assert.Null(v3.Fp8BlockSize);
        Assert.Equal((128, 128), ModelConfigReader.FromFolder(TestFiles.Golden("deepseek_v3_fp8")).Fp8BlockSize);

        ModelConfig v2 = ModelConfigReader.FromFolder(TestFiles.Golden("deepseek_v2"));
        Assert.Equal((ScoringFunc.Softmax, TopkMethod.GroupLimitedGreedy, 4, 2, false, 4f), (v2.Moe!.ScoringFunc, v2.Moe.TopkMethod, v2.Moe.NumGroups, v2.Moe.TopkGroup, v2.Moe.NormTopkProb, v2.Moe.RoutedScalingFactor));
        Assert.Equal(0.707, v2.Rope.Mscale);

        ModelConfig lite = ModelConfigReader.FromFolder(TestFiles.Golden("deepseek_v2_lite"));
        Assert.Null(lite.Mla!.QLoraRank);
        Assert.Equal((TopkMethod.Greedy, 1, 1), (lite.Moe!.TopkMethod, lite.Moe.NumGroups, lite.Moe.TopkGroup));

        ModelConfig llama = ModelConfigReader.FromFolder(TestFiles.Golden("llama"));
        Assert.Equal(new RopeConfig { Type = RopeType.Llama3, Theta = 500000, Interleaved = false, Factor = 8, OriginalMaxPositionEmbeddings = 32, LowFreqFactor = 1, HighFreqFactor = 4 }, llama.Rope);
        Assert.Equal((16, 2, 1e-5f, false, false), (llama.HeadDim, llama.NumKeyValueHeads, llama.RmsNormEps, llama.QkvBias, llama.TieWordEmbeddings));
        Assert.Equal([2], llama.EosTokenIds);

        ModelConfig qwen2 = ModelConfigReader.FromFolder(TestFiles.Golden("qwen2"));
        Assert.Equal((8, true, false, true), (qwen2.HeadDim, qwen2.QkvBias, qwen2.OutputBias, qwen2.TieWordEmbeddings));
        Assert.Empty(qwen2.EosTokenIds);

        ModelConfig qwen3 = ModelConfigReader.FromFolder(TestFiles.Golden("qwen3"));
        Assert.Equal((16, false), (qwen3.HeadDim, qwen3.QkvBias));
        Assert.Equal((RopeType.Yarn, 256), (qwen3.Rope.Type, qwen3.Rope.OriginalMaxPositionEmbeddings));

        ModelConfig demo = ModelConfigReader.FromFolder(TestFiles.Demo);
        Assert.Equal((0.6f, 0.95f, null), (demo.DefaultTemperature, demo.DefaultTopP, demo.DefaultTopK));
        Assert.Equal([1], demo.EosTokenIds);
        Assert.Equal(RopeType.Default, demo.Rope.Type);
    }

    [Fact]
    public void FromFolder_LaterFamilies_AreRefusedByName()
    {
        TestFiles.Refuses(() => ModelConfigReader.FromFolder(TestFiles.Golden("deepseek_v32")), "'deepseek_v32'", "supported are");
        TestFiles.Refuses(() => ModelConfigReader.FromFolder(TestFiles.Golden("deepseek_v4")), "'deepseek_v4'", "supported are");
    }

    /// <summary>The same model in the spelling of published files gives the same configuration.</summary>
    [Theory]
    [InlineData("deepseek_v3", "type")]
    [InlineData("deepseek_v2", "rope_type")]
    [InlineData("llama", "rope_type")]
    [InlineData("qwen3", "type")]
    [InlineData("qwen2", "type")]
    public void FromJson_RopeScaling_EqualsRopeParameters(string family, string typeKey)
    {
        JsonObject root = Load(family);
        ModelConfig newer = Read(root);
        JsonObject rope = root["rope_parameters"]!.DeepClone().AsObject();
        root.Remove("rope_parameters");
        root["rope_theta"] = rope["rope_theta"]!.DeepClone();
        rope.Remove("rope_theta");
        JsonNode type = rope["rope_type"]!.DeepClone();
        rope.Remove("rope_type");
        rope[typeKey] = type;
        root["rope_scaling"] = type.GetValue<string>() == "default" ? null : rope;
        ModelConfig older = Read(root);
        Assert.Equal(newer with { EosTokenIds = older.EosTokenIds }, older);
    }

    [Fact]
    public void FromJson_DeepseekCoder_ReadsLinearScaling()
    {
        JsonObject root = Load("llama");
        root.Remove("rope_parameters");
        root["rope_theta"] = 100000;
        root["rope_scaling"] = new JsonObject { ["type"] = "linear", ["factor"] = 4.0 };
        RopeConfig rope = Read(root).Rope;
        Assert.Equal((RopeType.Linear, 4.0, 100000.0), (rope.Type, rope.Factor, rope.Theta));
    }

    [Fact]
    public void FromJson_YarnDetails_AreKept()
    {
        JsonObject root = Load("qwen3");
        JsonObject rope = root["rope_parameters"]!.AsObject();
        rope.Remove("original_max_position_embeddings");
        rope["truncate"] = false;
        rope["attention_factor"] = 1.25;
        RopeConfig read = Read(root).Rope;
        Assert.Equal((1024, false, 1.25, null, null), (read.OriginalMaxPositionEmbeddings, read.Truncate, read.AttentionFactor, read.Mscale, read.MscaleAllDim));
    }

    [Fact]
    public void FromJson_Biases_FollowTheFamily()
    {
        JsonObject llama = Load("llama");
        llama["attention_bias"] = true;
        llama["mlp_bias"] = true;
        ModelConfig c = Read(llama);
        Assert.True(c.QkvBias && c.OutputBias && c.MlpBias);
        JsonObject qwen3 = Load("qwen3");
        qwen3["attention_bias"] = true;
        Assert.True(Read(qwen3).QkvBias);
        qwen3.Remove("head_dim");
        Assert.Equal(128, Read(qwen3).HeadDim);
    }

    [Fact]
    public void FromJson_DefaultsOfV3_AreThoseOfTheReference()
    {
        JsonObject root = Load("deepseek_v3");
        foreach (string key in (string[])["first_k_dense_replace", "norm_topk_prob", "routed_scaling_factor", "rope_interleave", "hidden_act", "model_type", "num_nextn_predict_layers"])
        {
            root.Remove(key);
        }

        ModelConfig c = Read(root);
        Assert.Equal("deepseek_v3", c.ModelType);
        Assert.Equal((3, true, 2.5f, true, 0), (c.Moe!.FirstKDenseReplace, c.Moe.NormTopkProb, c.Moe.RoutedScalingFactor, c.Rope.Interleaved, c.NumNextnPredictLayers));
        root["n_routed_experts"] = null;
        Assert.Null(Read(root).Moe);
    }

    [Theory]
    [InlineData("deepseek_v2", 2)]
    [InlineData("deepseek_v3", 1)]
    public void FromJson_SharedExperts_AbsentIsTheReferencesDefaultAndNullIsNone(string family, int absent)
    {
        JsonObject root = Load(family);
        root["n_shared_experts"] = null;
        Assert.Equal(0, Read(root).Moe!.NumSharedExperts);
        root.Remove("n_shared_experts");
        Assert.Equal(absent, Read(root).Moe!.NumSharedExperts);
    }

    [Fact]
    public void FromJson_V2WithNormTopkProb_NormalisesInsteadOfScaling()
    {
        JsonObject root = Load("deepseek_v2");
        root["norm_topk_prob"] = true;
        ModelConfig c = Read(root);
        Assert.Equal((true, 1f), (c.Moe!.NormTopkProb, c.Moe.RoutedScalingFactor));
    }

    [Theory]
    [InlineData("{\"eos_token_id\":[7,2],\"temperature\":0.6,\"top_p\":0.95,\"top_k\":40}", new[] { 7, 2 }, 0.6f, 0.95f, 40)]
    [InlineData("{\"eos_token_id\":9,\"do_sample\":true,\"temperature\":1,\"top_k\":0}", new[] { 9, 2 }, 1f, null, null)]
    [InlineData("{\"eos_token_id\":null,\"do_sample\":false,\"temperature\":0.6,\"top_p\":0.95,\"top_k\":40}", new[] { 2 }, null, null, null)]
    [InlineData("{}", new[] { 2 }, null, null, null)]
    public void FromJson_GenerationConfig_AddsStopsAndSampling(string json, int[] eos, float? temperature, float? topP, int? topK)
    {
        ModelConfig c = ModelConfigReader.FromJson(Encoding.UTF8.GetBytes(Load("llama").ToJsonString()), Encoding.UTF8.GetBytes(json));
        Assert.Equal(eos, c.EosTokenIds);
        Assert.Equal((temperature, topP, topK), (c.DefaultTemperature, c.DefaultTopP, c.DefaultTopK));
    }

    [Theory]
    [InlineData("{\"temperature\":-1}", "temperature")]
    [InlineData("{\"top_p\":1.5}", "top_p")]
    [InlineData("{\"top_k\":\"many\"}", "top_k")]
    [InlineData("{\"eos_token_id\":256}", "eos_token_id")]
    [InlineData("{\"do_sample\":\"yes\"}", "do_sample")]
    [InlineData("7", "not a JSON object")]
    public void FromJson_BadGenerationConfig_NamesTheKey(string json, string said)
        => TestFiles.Refuses(() => ModelConfigReader.FromJson(Encoding.UTF8.GetBytes(Load("llama").ToJsonString()), Encoding.UTF8.GetBytes(json)), "generation_config.json", said);

    private static JsonObject Load(string family)
        => JsonNode.Parse(File.ReadAllText(Path.Combine(TestFiles.Golden(family), "config.json")), documentOptions: new JsonDocumentOptions { MaxDepth = 32 })!.AsObject();

    private static ModelConfig Read(JsonObject root) => ModelConfigReader.FromJson(Encoding.UTF8.GetBytes(root.ToJsonString()));
}
