using System.Text.Json;
using System.Text.Unicode;
using Hadal.Formats.Checkpoints;
using Hadal.Numerics;

namespace Hadal.Formats.Config;

/// <summary>Reads <c>config.json</c> and <c>generation_config.json</c> of a Hugging Face folder. Every value handed out is checked.</summary>
/// <remarks>Defaults for absent keys are those of the configuration classes of transformers.</remarks>
public static class ModelConfigReader
{
    public const string ConfigName = "config.json";
    public const string GenerationConfigName = "generation_config.json";

    /// <exception cref="HadalException">There is no config.json, or it cannot be used; the message names file and key.</exception>
    public static ModelConfig FromFolder(string folder)
    {
        string path = Path.Combine(folder, ConfigName);
        if (!File.Exists(path))
        {
            throw new HadalException($"{folder}: holds no {ConfigName}, so it is no Hugging Face checkpoint; give the folder with config.json and *.safetensors, or a .gguf file");
        }

        string generationPath = Path.Combine(folder, GenerationConfigName);
        byte[]? generation = File.Exists(generationPath) ? JsonFile.ReadAllBytes(generationPath, ConfigLimits.FileBytes) : null;
        return FromJson(JsonFile.ReadAllBytes(path, ConfigLimits.FileBytes), generation, path, generationPath);
    }

    /// <param name="config">The bytes of config.json.</param>
    /// <param name="generationConfig">The bytes of generation_config.json, or null.</param>
    /// <param name="configFile">Name of the first for messages.</param>
    /// <param name="generationFile">Name of the second for messages.</param>
    public static ModelConfig FromJson(byte[] config, byte[]? generationConfig = null, string configFile = ConfigName, string generationFile = GenerationConfigName)
    {
        ModelConfig model = Parse(config, configFile, Read);
        return generationConfig is null ? model : Parse(generationConfig, generationFile, g => WithGenerationConfig(model, g));
    }

    private static ModelConfig Parse(byte[] json, string file, Func<ConfigObject, ModelConfig> read)
    {
        if (!Utf8.IsValid(json))
        {
            throw new HadalException($"{file}: is not valid UTF-8");
        }

        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 32, AllowDuplicateProperties = false });
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? read(new ConfigObject(document.RootElement, file, ""))
                : throw new HadalException($"{file}: is not a JSON object");
        }
        catch (JsonException e)
        {
            throw new HadalException($"{file}: is not valid JSON{JsonPosition.Of(e)}: {e.Message}", e);
        }
        catch (InvalidOperationException e)
        {
            // System.Text.Json unescapes names and strings when they are asked for; this is its word for an unpaired surrogate.
            throw new HadalException($"{file}: holds a string that is not valid Unicode: {e.Message}", e);
        }
    }

    private static ModelConfig Read(ConfigObject c)
    {
        string modelType = ModelTypes.Resolve(c);
        bool deepseek = modelType is ModelTypes.DeepseekV2 or ModelTypes.DeepseekV3;
        string act = c.OptionalString("hidden_act") ?? "silu";
        if (act != "silu")
        {
            throw c.Bad("hidden_act", $"is {HostileText.Quote(act)}", "expected silu, the only activation of these families");
        }

        int hidden = c.Int("hidden_size", 1, ConfigLimits.Width);
        int layers = c.Int("num_hidden_layers", 1, ConfigLimits.Layers);
        int heads = c.Int("num_attention_heads", 1, ConfigLimits.Heads);
        int kvHeads = c.OptionalInt("num_key_value_heads", 1, ConfigLimits.Heads) ?? heads;
        int vocab = c.Int("vocab_size", 1, ConfigLimits.VocabSize);
        int maxPositions = c.Int("max_position_embeddings", 1, ConfigLimits.Positions);
        CheckSlidingWindow(c, layers, maxPositions);

        MlaConfig? mla = deepseek ? ReadMla(c) : null;
        int headDim;
        if (mla is not null)
        {
            headDim = mla.QkRopeHeadDim;
        }
        else if (c.OptionalInt("head_dim", 1, ConfigLimits.HeadDim) is { } stated)
        {
            headDim = stated;
        }
        else if (modelType == ModelTypes.Qwen3)
        {
            headDim = 128;
        }
        else
        {
            headDim = hidden % heads == 0 ? hidden / heads : throw c.Bad("hidden_size", $"is {hidden}, not a multiple of num_attention_heads {heads}", "expected a multiple, or head_dim stated");
        }

        bool attentionBias = c.OptionalBool("attention_bias") ?? false;
        bool mlpBias = c.OptionalBool("mlp_bias") ?? false;
        if (deepseek && mlpBias)
        {
            throw c.Bad("mlp_bias", "is true", $"expected false: no {modelType} checkpoint with such biases is known, and they are not supported");
        }

        List<int> eos = c.IntOrInts("eos_token_id", 0, vocab - 1, ConfigLimits.EosIds);
        var config = new ModelConfig
        {
            ModelType = modelType,
            VocabSize = vocab,
            HiddenSize = hidden,
            IntermediateSize = c.Int("intermediate_size", 1, ConfigLimits.Width),
            NumHiddenLayers = layers,
            NumAttentionHeads = heads,
            NumKeyValueHeads = kvHeads,
            HeadDim = headDim,
            MaxPositionEmbeddings = maxPositions,
            RmsNormEps = (float)(c.OptionalNumber("rms_norm_eps", 1e-12, 1) ?? 1e-6),
            Rope = RopeConfigReader.Read(c, interleaved: deepseek && (c.OptionalBool("rope_interleave") ?? true), maxPositions),
            TieWordEmbeddings = c.OptionalBool("tie_word_embeddings") ?? false,
            // Qwen2's are not configurable: biases on q, k and v, none on the output. The others' attention_bias covers all four.
            QkvBias = modelType == ModelTypes.Qwen2 || attentionBias,
            OutputBias = modelType != ModelTypes.Qwen2 && attentionBias,
            MlpBias = modelType == ModelTypes.Llama && mlpBias,
            Mla = mla,
            Moe = deepseek ? ReadMoe(c, modelType) : null,
            NumNextnPredictLayers = modelType == ModelTypes.DeepseekV3 ? c.OptionalInt("num_nextn_predict_layers", 0, ConfigLimits.Layers) ?? 0 : 0,
            Fp8BlockSize = QuantizationConfigReader.ReadFp8BlockSize(c),
            BosTokenId = c.OptionalInt("bos_token_id", 0, vocab - 1),
            EosTokenIds = eos.Distinct().ToArray(),
        };
        ModelConfigRules.Check(config, c.File);
        return config;
    }

    private static void CheckSlidingWindow(ConfigObject c, int layers, int maxPositions)
    {
        bool used = c.OptionalBool("use_sliding_window") ?? false;
        int window = c.OptionalInt("sliding_window", 0, int.MaxValue) ?? int.MaxValue;
        int firstWindowed = c.OptionalInt("max_window_layers", 0, int.MaxValue) ?? 0;
        if (used && window < maxPositions && firstWindowed < layers)
        {
            throw c.Bad("use_sliding_window", $"is true with a window of {window} tokens from layer {firstWindowed} on", $"expected false: sliding windows shorter than max_position_embeddings ({maxPositions}) are not supported");
        }

        foreach (string type in c.OptionalStrings("layer_types", ConfigLimits.Layers) ?? [])
        {
            if (type != "full_attention" && !(type == "sliding_attention" && window >= maxPositions))
            {
                throw c.Bad("layer_types", $"holds {HostileText.Quote(type)}", "expected full_attention only");
            }
        }
    }

    private static MlaConfig ReadMla(ConfigObject c)
    {
        // Absent would mean 1536 to the reference and null means none: too different to guess.
        if (!c.Mentions("q_lora_rank"))
        {
            throw c.Bad("q_lora_rank", "is missing", "expected a rank, or null for direct queries");
        }

        return new MlaConfig(
            c.OptionalInt("q_lora_rank", 1, ConfigLimits.Width),
            c.Int("kv_lora_rank", 1, ConfigLimits.Width),
            c.Int("qk_nope_head_dim", 1, ConfigLimits.HeadDim),
            c.Int("qk_rope_head_dim", 2, ConfigLimits.HeadDim),
            c.Int("v_head_dim", 1, ConfigLimits.HeadDim));
    }

    private static MoeConfig? ReadMoe(ConfigObject c, string modelType)
    {
        if (!c.Has("n_routed_experts"))
        {
            return c.Mentions("n_routed_experts") ? null : throw c.Bad("n_routed_experts", "is missing", "expected the number of experts, or null for a dense model");
        }

        bool v3 = modelType == ModelTypes.DeepseekV3;
        string scoring = c.OptionalString("scoring_func") ?? (v3 ? "sigmoid" : "softmax");
        if (scoring != (v3 ? "sigmoid" : "softmax"))
        {
            throw c.Bad("scoring_func", $"is {HostileText.Quote(scoring)}", $"expected {(v3 ? "sigmoid" : "softmax")} for {modelType}");
        }

        string method = c.OptionalString("topk_method") ?? (v3 ? "noaux_tc" : "greedy");
        TopkMethod topkMethod = (v3, method) switch
        {
            (true, "noaux_tc") => TopkMethod.NoauxTc,
            (false, "greedy") => TopkMethod.Greedy,
            (false, "group_limited_greedy") => TopkMethod.GroupLimitedGreedy,
            _ => throw c.Bad("topk_method", $"is {HostileText.Quote(method)}", v3 ? "expected noaux_tc" : "expected greedy or group_limited_greedy"),
        };

        // Greedy ignores groups: V2-Lite says n_group 1, others null.
        bool grouped = topkMethod != TopkMethod.Greedy;
        bool normTopkProb = c.OptionalBool("norm_topk_prob") ?? v3;
        double scaling = c.OptionalNumber("routed_scaling_factor", 1e-6, 1e6) ?? (v3 ? 2.5 : 1.0);
        return new MoeConfig
        {
            NumRoutedExperts = c.Int("n_routed_experts", 1, ConfigLimits.Experts),
            NumExpertsPerTok = c.Int("num_experts_per_tok", 1, ConfigLimits.Experts),
            MoeIntermediateSize = c.Int("moe_intermediate_size", 1, ConfigLimits.Width),
            // null means none. Where the key is absent a wrong guess must show: shared experts that are not there are an error, unread ones would not be.
            NumSharedExperts = c.OptionalInt("n_shared_experts", 0, ConfigLimits.Experts) ?? (c.Mentions("n_shared_experts") ? 0 : v3 ? 1 : 2),
            FirstKDenseReplace = c.OptionalInt("first_k_dense_replace", 0, ConfigLimits.Layers) ?? (v3 ? 3 : 0),
            MoeLayerFreq = c.OptionalInt("moe_layer_freq", 1, ConfigLimits.Layers) ?? 1,
            ScoringFunc = v3 ? ScoringFunc.Sigmoid : ScoringFunc.Softmax,
            TopkMethod = topkMethod,
            NumGroups = grouped ? c.OptionalInt("n_group", 1, ConfigLimits.Experts) ?? (v3 ? 8 : throw MissingGroups(c, "n_group")) : 1,
            TopkGroup = grouped ? c.OptionalInt("topk_group", 1, ConfigLimits.Experts) ?? (v3 ? 4 : throw MissingGroups(c, "topk_group")) : 1,
            NormTopkProb = normTopkProb,
            // DeepSeek's own V2 code normalises the weights or else scales them, never both (modeling_deepseek.py, MoEGate.forward);
            // every published V2 has norm_topk_prob false, so only the scaling has ever been used.
            RoutedScalingFactor = !v3 && normTopkProb ? 1 : (float)scaling,
        };
    }

    private static HadalException MissingGroups(ConfigObject c, string key)
        => c.Bad(key, "is missing", "expected a whole number, since topk_method is group_limited_greedy");

    private static ModelConfig WithGenerationConfig(ModelConfig model, ConfigObject g)
    {
        var eos = new List<int>(g.IntOrInts("eos_token_id", 0, model.VocabSize - 1, ConfigLimits.EosIds));
        eos.AddRange(model.EosTokenIds);
        model = model with
        {
            EosTokenIds = eos.Distinct().ToArray(),
            BosTokenId = model.BosTokenId ?? g.OptionalInt("bos_token_id", 0, model.VocabSize - 1),
        };

        double? temperature = g.OptionalNumber("temperature", 0, 1000);
        double? topP = g.OptionalNumber("top_p", 0, 1);
        int? topK = g.OptionalInt("top_k", -1, int.MaxValue);
        if (g.OptionalBool("do_sample") == false)
        {
            return model;
        }

        return model with
        {
            DefaultTemperature = (float?)temperature,
            // 0 (and -1 in some files) switches the filter off.
            DefaultTopP = topP is > 0 ? (float?)topP : null,
            DefaultTopK = topK is > 0 ? topK : null,
        };
    }
}
