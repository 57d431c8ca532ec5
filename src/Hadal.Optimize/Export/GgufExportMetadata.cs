using System.Text.Json;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Config;
using Hadal.Formats.Tokenization;
using Hadal.Numerics;

namespace Hadal.Optimize.Export;

/// <summary>What a GGUF file says of a model besides its tensors, under llama.cpp's keys.</summary>
internal static class GgufExportMetadata
{
    private const int Normal = 1;
    private const int Control = 3;
    private const int UserDefined = 4;
    private const int Unused = 5;

    // Pre-tokenizers that llama.cpp knows by name; the first that cuts text as the model's own does is it.
    private static readonly string[] _preTokenizers = ["deepseek-v3", "deepseek-r1-qwen", "qwen2", "llama-bpe", "deepseek-llm", "deepseek-coder", "smaug-bpe", "gpt-2", "default"];

    private static readonly string[] _probes =
    [
        "Once upon a time there was a bear. \"Who's there?\" he asked; nobody answered.", "12 + 7 = 19; 3.14159, 2024-05-01, 1234567890", "  leading, \t tabs\n\n\nlines  \r\n and trailing   ",
        "def f(x):\n    return x ** 2  # comment\n\treturn None;", "你好，世界。こんにちは世界！안녕하세요", "Ünïcödé naïve façade Привет мир مرحبا", "don't I'LL we've she'd THEY'RE", "a_b-c@d.e/f\\g|h{i}[j](k)<l>!?$%^&*~`", "😀 emoji 👩‍👩‍👧 joined", "½ ² ٣ Ⅳ",
    ];

    public static IEnumerable<(string, object)> Model(ModelConfig c, string name, DType type)
    {
        bool deepseek = c.Mla is not null;
        string arch = deepseek ? "deepseek2" : c.ModelType;
        yield return ("general.architecture", arch);
        yield return ("general.name", name);
        yield return ("general.quantization_version", 2u);
        yield return ("general.file_type", type switch { DType.F32 => 0u, DType.F16 => 1u, DType.Q4_0 => 2u, DType.Q8_0 => 7u, _ => 32u });
        yield return ($"{arch}.block_count", (uint)c.NumHiddenLayers);
        yield return ($"{arch}.context_length", (uint)c.MaxPositionEmbeddings);
        yield return ($"{arch}.embedding_length", (uint)c.HiddenSize);
        yield return ($"{arch}.feed_forward_length", (uint)c.IntermediateSize);
        yield return ($"{arch}.attention.head_count", (uint)c.NumAttentionHeads);
        yield return ($"{arch}.attention.head_count_kv", deepseek ? 1u : (uint)c.NumKeyValueHeads);
        yield return ($"{arch}.attention.layer_norm_rms_epsilon", c.RmsNormEps);
        yield return ($"{arch}.vocab_size", (uint)c.VocabSize);
        yield return ($"{arch}.rope.freq_base", (float)c.Rope.Theta);
        switch (c.Rope.Type)
        {
            case RopeType.Linear:
                yield return ($"{arch}.rope.scaling.type", "linear");
                yield return ($"{arch}.rope.scaling.factor", (float)c.Rope.Factor);
                break;
            case RopeType.Yarn:
                yield return ($"{arch}.rope.scaling.type", "yarn");
                yield return ($"{arch}.rope.scaling.factor", (float)c.Rope.Factor);
                yield return ($"{arch}.rope.scaling.original_context_length", (uint)c.Rope.OriginalMaxPositionEmbeddings);
                yield return ($"{arch}.rope.scaling.yarn_beta_fast", (float)c.Rope.BetaFast);
                yield return ($"{arch}.rope.scaling.yarn_beta_slow", (float)c.Rope.BetaSlow);
                if (deepseek && c.Rope.MscaleAllDim is { } all)
                {
                    yield return ($"{arch}.rope.scaling.yarn_log_multiplier", (float)(0.1 * all));
                }

                if (c.Rope.AttentionFactor is { } attention)
                {
                    yield return ($"{arch}.rope.scaling.yarn_attn_factor", (float)attention);
                }

                break;
            case RopeType.Dynamic:
                throw new HadalException("rope_scaling dynamic: GGUF has no word for it; the model cannot be exported.");
        }

        if (c.Mla is not { } mla)
        {
            yield return ($"{arch}.attention.key_length", (uint)c.HeadDim);
            yield return ($"{arch}.attention.value_length", (uint)c.HeadDim);
            yield return ($"{arch}.rope.dimension_count", (uint)c.HeadDim);
            yield break;
        }

        if (mla.QLoraRank is { } rank)
        {
            yield return ($"{arch}.attention.q_lora_rank", (uint)rank);
        }

        yield return ($"{arch}.attention.kv_lora_rank", (uint)mla.KvLoraRank);
        yield return ($"{arch}.rope.dimension_count", (uint)mla.QkRopeHeadDim);
        yield return ($"{arch}.attention.key_length", (uint)(mla.KvLoraRank + mla.QkRopeHeadDim));
        yield return ($"{arch}.attention.value_length", (uint)mla.KvLoraRank);
        yield return ($"{arch}.attention.key_length_mla", (uint)(mla.QkNopeHeadDim + mla.QkRopeHeadDim));
        yield return ($"{arch}.attention.value_length_mla", (uint)mla.VHeadDim);
        if (c.Moe is not { } moe)
        {
            yield break;
        }

        yield return ($"{arch}.leading_dense_block_count", (uint)moe.FirstKDenseReplace);
        yield return ($"{arch}.expert_feed_forward_length", (uint)moe.MoeIntermediateSize);
        yield return ($"{arch}.expert_count", (uint)moe.NumRoutedExperts);
        yield return ($"{arch}.expert_used_count", (uint)moe.NumExpertsPerTok);
        yield return ($"{arch}.expert_shared_count", (uint)moe.NumSharedExperts);
        yield return ($"{arch}.expert_weights_scale", moe.RoutedScalingFactor);
        yield return ($"{arch}.expert_weights_norm", moe.NormTopkProb);
        yield return ($"{arch}.expert_gating_func", moe.ScoringFunc == ScoringFunc.Sigmoid ? 2u : 1u);
        if (moe.NumGroups > 1)
        {
            yield return ($"{arch}.expert_group_count", (uint)moe.NumGroups);
            yield return ($"{arch}.expert_group_used_count", (uint)moe.TopkGroup);
        }
    }

    /// <exception cref="HadalException">No pre-tokenizer that GGUF has a name for cuts text as the model's own.</exception>
    public static IEnumerable<(string, object)> Tokenizer(Checkpoint source)
    {
        const string file = "tokenizer.json";
        ITokenizer own = CheckpointText.LoadTokenizer(source);
        var tokens = new string[source.Config.VocabSize];
        int[] types = new int[tokens.Length];
        List<string> merges = [];
        using (JsonDocument json = JsonDocument.Parse(source.Files!.Read(file, 256 << 20)))
        {
            JsonElement model = json.RootElement.GetProperty("model");
            foreach (JsonProperty p in model.GetProperty("vocab").EnumerateObject())
            {
                Set(p.Value.GetInt32(), p.Name, Normal);
            }

            foreach (JsonElement merge in model.GetProperty("merges").EnumerateArray())
            {
                merges.Add(merge.ValueKind == JsonValueKind.Array ? $"{merge[0].GetString()} {merge[1].GetString()}" : merge.GetString()!);
            }

            if (json.RootElement.TryGetProperty("added_tokens", out JsonElement added))
            {
                foreach (JsonElement t in added.EnumerateArray())
                {
                    Set(t.GetProperty("id").GetInt32(), t.GetProperty("content").GetString()!, t.GetProperty("special").GetBoolean() ? Control : UserDefined);
                }
            }
        }

        for (int i = 0; i < tokens.Length; i++)
        {
            if (tokens[i] is null)
            {
                (tokens[i], types[i]) = ($"[PAD{i}]", Unused);
            }
        }

        bool addBos = source.Config.BosTokenId is { } b && own.Encode("a", addSpecialTokens: true) is [var first, ..] && first == b;
        string pre = _preTokenizers.FirstOrDefault(p => Agrees(p, addBos)) ?? throw new HadalException(
            $"{file}: its pre-tokenizer cuts text as none of those that GGUF has names for ({string.Join(", ", _preTokenizers)}); a file with another would give the model other tokens than it was trained with.");
        yield return ("tokenizer.ggml.model", "gpt2");
        yield return ("tokenizer.ggml.pre", pre);
        yield return ("tokenizer.ggml.tokens", tokens);
        yield return ("tokenizer.ggml.token_type", types);
        yield return ("tokenizer.ggml.merges", merges.ToArray());
        yield return ("tokenizer.ggml.add_bos_token", addBos);
        if (source.Config.BosTokenId is { } bos)
        {
            yield return ("tokenizer.ggml.bos_token_id", (uint)bos);
        }

        string[] ends = ["eos_token_id", "eot_token_id", "eom_token_id"];
        for (int i = 0; i < Math.Min(ends.Length, source.Config.EosTokenIds.Count); i++)
        {
            yield return ($"tokenizer.ggml.{ends[i]}", (uint)source.Config.EosTokenIds[i]);
        }

        if (ChatTemplate(source) is { } template)
        {
            yield return ("tokenizer.chat_template", template);
        }

        void Set(int id, string token, int type)
        {
            if ((uint)id >= (uint)tokens.Length)
            {
                throw new HadalException($"{file}: token id {id}; config.json has a vocabulary of {tokens.Length}.");
            }

            (tokens[id], types[id]) = (token, type);
        }

        bool Agrees(string candidate, bool bosFirst)
        {
            BpeTokenizer other = TokenizerLoader.FromGguf(new GgufTokenizerMetadata
            {
                Model = "gpt2",
                Pre = candidate,
                Tokens = tokens,
                Merges = merges,
                TokenTypes = types,
                BosTokenId = source.Config.BosTokenId,
                EosTokenId = source.Config.EosTokenIds.Count > 0 ? source.Config.EosTokenIds[0] : null,
                AddBosToken = bosFirst,
            });
            return _probes.All(p => other.Encode(p).AsSpan().SequenceEqual(own.Encode(p)));
        }
    }

    private static string? ChatTemplate(Checkpoint source)
    {
        if (source.Files!.Exists("chat_template.jinja"))
        {
            return System.Text.Encoding.UTF8.GetString(source.Files.Read("chat_template.jinja", 16 << 20));
        }

        if (!source.Files.Exists("tokenizer_config.json"))
        {
            return null;
        }

        using JsonDocument json = JsonDocument.Parse(source.Files.Read("tokenizer_config.json", 16 << 20));
        return json.RootElement.TryGetProperty("chat_template", out JsonElement t) && t.ValueKind == JsonValueKind.String ? t.GetString() : null;
    }
}
