using Hadal.Formats.Checkpoints;
using Hadal.Formats.Config;
using Hadal.Numerics;

namespace Hadal.Formats.Gguf;

/// <summary>Reads a <see cref="ModelConfig"/> from the metadata of a GGUF file, for general.architecture llama, qwen2, qwen3 and deepseek2.</summary>
/// <remarks>
/// Source: github.com/ggml-org/llama.cpp, conversion/base.py, llama.py, qwen.py, deepseek.py (what is written) and
/// src/models/deepseek2.cpp, src/llama-context.cpp (what it means).
/// </remarks>
public static class GgufModelConfig
{
    private const string Supported = "llama, qwen2, qwen3, deepseek2";

    // expert_gating_func: llama-hparams.h, llama_expert_gating_func_type.
    private const int GatingSoftmax = 1;
    private const int GatingSigmoid = 2;

    /// <exception cref="HadalException">A key is missing or cannot be used.</exception>
    public static ModelConfig Read(GgufFile file) => Read([file]);

    /// <param name="files">The file with the metadata, then the further parts of a split model (asked only which tensors there are).</param>
    /// <exception cref="HadalException">A key is missing or cannot be used.</exception>
    public static ModelConfig Read(IReadOnlyList<GgufFile> files)
    {
        GgufFile file = files[0];
        string architecture = file.Metadata.TryGetValue("general.architecture", out GgufValue? a)
            ? a.AsString()
            : throw new HadalException($"{file.Path}: metadata 'general.architecture' is missing; expected one of {Supported}");
        bool deepseek = architecture == "deepseek2";
        if (!deepseek && architecture is not ("llama" or "qwen2" or "qwen3"))
        {
            throw new HadalException($"{file.Path}: metadata 'general.architecture' is {HostileText.Quote(architecture)}, which is not supported; supported are {Supported}");
        }

        var f = new GgufFields(file, architecture);
        int vocab = VocabSize(files, f);
        int nextn = f.OptionalInt("nextn_predict_layers", 0, ConfigLimits.Layers) ?? 0;
        int blocks = f.Int("block_count", 1, ConfigLimits.Layers);
        int layers = blocks > nextn ? blocks - nextn : throw f.Bad("block_count", $"is {blocks}", $"expected more than nextn_predict_layers ({nextn})");
        int heads = f.Int("attention.head_count", 1, ConfigLimits.Heads);
        int hidden = f.Int("embedding_length", 1, ConfigLimits.Width);
        int maxPositions = f.Int("context_length", 1, ConfigLimits.Positions);

        MlaConfig? mla = deepseek ? ReadMla(f) : null;
        MoeConfig? moe = deepseek ? ReadMoe(f, files, layers) : null;
        if (!deepseek && (f.OptionalInt("expert_count", 0, ConfigLimits.Experts) ?? 0) > 0)
        {
            throw f.Bad("expert_count", "is not 0", $"expected a dense model: mixtures of experts are read for deepseek2 only");
        }

        int headDim = mla?.QkRopeHeadDim ?? HeadDim(f, hidden, heads);
        var sampling = new GgufFields(file, "general.sampling");
        double? topP = sampling.OptionalNumber("top_p", 0, 1);
        int? topK = sampling.OptionalInt("top_k", -1, int.MaxValue);
        var config = new ModelConfig
        {
            ModelType = !deepseek ? architecture : moe?.ScoringFunc == ScoringFunc.Sigmoid ? ModelTypes.DeepseekV3 : ModelTypes.DeepseekV2,
            VocabSize = vocab,
            HiddenSize = hidden,
            IntermediateSize = f.Int("feed_forward_length", 1, ConfigLimits.Width),
            NumHiddenLayers = layers,
            NumAttentionHeads = heads,
            // Converted for absorbed attention, deepseek2 says 1 (the latent); as in config.json every head has its own.
            NumKeyValueHeads = deepseek ? heads : f.OptionalInt("attention.head_count_kv", 1, ConfigLimits.Heads) ?? heads,
            HeadDim = headDim,
            MaxPositionEmbeddings = maxPositions,
            RmsNormEps = (float)(f.OptionalNumber("attention.layer_norm_rms_epsilon", 1e-12, 1) ?? throw f.Bad("attention.layer_norm_rms_epsilon", "is missing", "expected a small number")),
            // llama's q and k rows were permuted by the converter so that pairs are neighbours; DeepSeek's are so from the start; Qwen's are not.
            Rope = ReadRope(f, files, deepseek || architecture == "llama", maxPositions, headDim, deepseek),
            TieWordEmbeddings = !HasTensor(files, "output.weight"),
            QkvBias = HasTensor(files, "blk.0.attn_q.bias"),
            OutputBias = HasTensor(files, "blk.0.attn_output.bias"),
            MlpBias = HasTensor(files, "blk.0.ffn_gate.bias"),
            Mla = mla,
            Moe = moe,
            NumNextnPredictLayers = nextn,
            BosTokenId = TokenId(file, "tokenizer.ggml.bos_token_id", vocab),
            EosTokenIds = EosTokenIds(file, vocab),
            DefaultTemperature = (float?)sampling.OptionalNumber("temp", 0, 1000),
            DefaultTopP = topP is > 0 ? (float?)topP : null,
            DefaultTopK = topK is > 0 ? topK : null,
        };
        ModelConfigRules.Check(config, file.Path);
        return config;
    }

    private static GgufTensorInfo? Tensor(IReadOnlyList<GgufFile> files, string name)
    {
        foreach (GgufFile f in files)
        {
            if (f.TryGetTensor(name, out GgufTensorInfo? info))
            {
                return info;
            }
        }

        return null;
    }

    private static bool HasTensor(IReadOnlyList<GgufFile> files, string name) => Tensor(files, name) is not null;

    private static int VocabSize(IReadOnlyList<GgufFile> files, GgufFields f)
    {
        // The embedding's rows are what can be computed with; the keys may be absent, or count tokens without padding.
        if (Tensor(files, "token_embd.weight") is { Shape: [var rows, _] })
        {
            return rows <= ConfigLimits.VocabSize ? (int)rows : throw new HadalException($"{files[0].Path}: tensor 'token_embd.weight' has {rows} rows, expected at most {ConfigLimits.VocabSize}");
        }

        return f.Int("vocab_size", 1, ConfigLimits.VocabSize);
    }

    private static int HeadDim(GgufFields f, int hidden, int heads)
    {
        int key = f.OptionalInt("attention.key_length", 1, ConfigLimits.HeadDim)
            ?? (hidden % heads == 0 ? hidden / heads : throw f.Bad("embedding_length", $"is {hidden}, not a multiple of attention.head_count {heads}", "expected a multiple, or attention.key_length stated"));
        int value = f.OptionalInt("attention.value_length", 1, ConfigLimits.HeadDim) ?? key;
        if (value != key)
        {
            throw f.Bad("attention.value_length", $"is {value}", $"expected attention.key_length ({key})");
        }

        int rotated = f.OptionalInt("rope.dimension_count", 1, ConfigLimits.HeadDim) ?? key;
        return rotated == key ? key : throw f.Bad("rope.dimension_count", $"is {rotated}", $"expected the width of a head ({key}): rotating a part of each head is not supported");
    }

    private static MlaConfig ReadMla(GgufFields f)
    {
        int rank = f.Int("attention.kv_lora_rank", 1, ConfigLimits.Width);
        int rope = f.Int("rope.dimension_count", 2, ConfigLimits.HeadDim);

        // Since early 2025 key_length and value_length are those of the latent (C + R and C) and *_mla those of a head; before, those of a head.
        bool absorbed = f.Has("attention.key_length_mla");
        string keyName = absorbed ? "attention.key_length_mla" : "attention.key_length";
        int key = f.Int(keyName, 1, ConfigLimits.HeadDim);
        int value = f.Int(absorbed ? "attention.value_length_mla" : "attention.value_length", 1, ConfigLimits.HeadDim);
        if (key <= rope)
        {
            throw f.Bad(keyName, $"is {key}", $"expected more than rope.dimension_count ({rope})");
        }

        int? qRank = f.OptionalInt("attention.q_lora_rank", 0, ConfigLimits.Width);
        return new MlaConfig(qRank is 0 ? null : qRank, rank, key - rope, rope, value);
    }

    private static MoeConfig? ReadMoe(GgufFields f, IReadOnlyList<GgufFile> files, int layers)
    {
        int experts = f.OptionalInt("expert_count", 0, ConfigLimits.Experts) ?? 0;
        if (experts == 0)
        {
            return null;
        }

        int firstMoe = f.OptionalInt("leading_dense_block_count", 0, ConfigLimits.Layers) ?? 0;
        // Absent means softmax (V2 files from before the key), unless there is a correction bias: that only comes with V3's sigmoid.
        int gating = f.OptionalInt("expert_gating_func", 0, 255) ?? 0;
        bool sigmoid = gating switch
        {
            0 => HasTensor(files, $"blk.{firstMoe}.exp_probs_b.bias") || HasTensor(files, $"blk.{firstMoe}.exp_probs_b"),
            GatingSoftmax => false,
            GatingSigmoid => true,
            _ => throw f.Bad("expert_gating_func", $"is {gating}", "expected 1 (softmax) or 2 (sigmoid)"),
        };

        (int groups, int used) = (f.OptionalInt("expert_group_count", 0, ConfigLimits.Experts), f.OptionalInt("expert_group_used_count", 0, ConfigLimits.Experts)) switch
        {
            ({ } g and > 0, { } u and > 0) => (g, u),
            // Files from before the keys: the two published models whose routing is by groups are known by their size.
            (null, null) when sigmoid && experts == 256 && layers == 61 => (8, 4),
            (null, null) when !sigmoid && experts == 160 && layers == 60 => (8, 3),
            _ => (1, 1),
        };

        double scale = f.OptionalNumber("expert_weights_scale", 0, 1e6) ?? 1;
        return new MoeConfig
        {
            NumRoutedExperts = experts,
            NumExpertsPerTok = f.Int("expert_used_count", 1, ConfigLimits.Experts),
            MoeIntermediateSize = f.Int("expert_feed_forward_length", 1, ConfigLimits.Width),
            NumSharedExperts = f.OptionalInt("expert_shared_count", 0, ConfigLimits.Experts) ?? 0,
            FirstKDenseReplace = firstMoe,
            ScoringFunc = sigmoid ? ScoringFunc.Sigmoid : ScoringFunc.Softmax,
            TopkMethod = sigmoid ? TopkMethod.NoauxTc : groups > 1 ? TopkMethod.GroupLimitedGreedy : TopkMethod.Greedy,
            NumGroups = groups,
            TopkGroup = used,
            NormTopkProb = f.OptionalBool("expert_weights_norm") ?? false,
            // 0 stands for "do not scale".
            RoutedScalingFactor = scale == 0 ? 1 : (float)scale,
        };
    }

    private static RopeConfig ReadRope(GgufFields f, IReadOnlyList<GgufFile> files, bool interleaved, int maxPositions, int headDim, bool deepseek)
    {
        string name = f.OptionalString("rope.scaling.type") ?? "linear";
        double factor = f.OptionalNumber("rope.scaling.factor", 0, ConfigLimits.RopeFactor) ?? f.OptionalNumber("rope.scale_linear", 0, ConfigLimits.RopeFactor) ?? 0;
        RopeType type = name switch
        {
            "none" => RopeType.Default,
            "linear" => factor is 0 or 1 ? RopeType.Default : RopeType.Linear,
            "yarn" => RopeType.Yarn,
            _ => throw f.Bad("rope.scaling.type", $"is {HostileText.Quote(name)}", "expected none, linear or yarn"),
        };
        if (type != RopeType.Default && factor < 1)
        {
            throw f.Bad("rope.scaling.factor", $"is {factor}", $"expected at least 1 for {name}");
        }

        var rope = new RopeConfig
        {
            Type = type,
            Theta = f.OptionalNumber("rope.freq_base", 1, ConfigLimits.RopeTheta) ?? 10000,
            Interleaved = interleaved,
            OriginalMaxPositionEmbeddings = maxPositions,
            FrequencyFactors = ReadFrequencyFactors(files, headDim),
        };
        if (type == RopeType.Default)
        {
            return rope;
        }

        rope = rope with { Factor = factor, OriginalMaxPositionEmbeddings = f.OptionalInt("rope.scaling.original_context_length", 1, ConfigLimits.Positions) ?? maxPositions };
        if (type == RopeType.Linear)
        {
            return rope;
        }

        // Written as 0.1 * mscale_all_dim, for deepseek2 only; mscale itself is not written, and equals it in every published model.
        double? mscale = deepseek ? f.OptionalNumber("rope.scaling.yarn_log_multiplier", 0, 100) : null;
        double? allDim = mscale is { } m ? (double)((decimal)m / 0.1m) : null;
        // 1 stands for "not stated".
        double? attentionFactor = f.OptionalNumber("rope.scaling.yarn_attn_factor", 1e-3, 1e3) is { } af and not 1 ? af : null;
        rope = rope with
        {
            BetaFast = f.OptionalNumber("rope.scaling.yarn_beta_fast", 1e-3, 1e6) ?? rope.BetaFast,
            BetaSlow = f.OptionalNumber("rope.scaling.yarn_beta_slow", 1e-3, 1e6) ?? rope.BetaSlow,
            Mscale = allDim,
            MscaleAllDim = allDim,
            AttentionFactor = attentionFactor,
        };
        return rope.BetaFast > rope.BetaSlow ? rope : throw f.Bad("rope.scaling.yarn_beta_fast", $"is {rope.BetaFast}", $"expected more than rope.scaling.yarn_beta_slow ({rope.BetaSlow})");
    }

    /// <summary>Llama 3's frequency scaling comes baked into a tensor of divisors, one per rotated pair.</summary>
    private static unsafe float[]? ReadFrequencyFactors(IReadOnlyList<GgufFile> files, int headDim)
    {
        foreach (GgufFile file in files)
        {
            if (!file.TryGetTensor("rope_freqs.weight", out GgufTensorInfo? info))
            {
                continue;
            }

            if (info.DType != DType.F32 || info.Shape.Length != 1 || info.Shape[0] != headDim / 2)
            {
                throw new HadalException($"{file.Path}: tensor 'rope_freqs.weight' is {info.TypeName} [{string.Join(", ", info.Shape)}], expected F32 [{headDim / 2}]");
            }

            float[] factors = new float[headDim / 2];
            BlockDequantizer.ToSingle(DType.F32, file.DataOf(info), factors);
            foreach (float v in factors)
            {
                if (!(v > 0) || float.IsInfinity(v))
                {
                    throw new HadalException($"{file.Path}: tensor 'rope_freqs.weight' holds {v}, expected positive numbers");
                }
            }

            return factors;
        }

        return null;
    }

    /// <summary>Ids outside the vocabulary are as good as absent, as to llama.cpp: some files have placeholders.</summary>
    private static int? TokenId(GgufFile file, string key, int vocab)
        => file.Metadata.TryGetValue(key, out GgufValue? value) && value.AsInteger() is >= 0 and var id && id < vocab ? (int)id : null;

    private static List<int> EosTokenIds(GgufFile file, int vocab)
    {
        // End of text, of turn and of message each end an answer.
        var ids = new List<int>();
        foreach (string key in (ReadOnlySpan<string>)["eos_token_id", "eot_token_id", "eom_token_id"])
        {
            if (TokenId(file, "tokenizer.ggml." + key, vocab) is { } id && !ids.Contains(id))
            {
                ids.Add(id);
            }
        }

        return ids;
    }
}
