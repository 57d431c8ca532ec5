namespace Hadal.Models.Tests.Oracle;

/// <summary>The table. Sizes are small and odd on purpose: no width is a multiple of a vector.</summary>
internal static class Variants
{
    private const string Llama = """
        { "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "vocab_size": 97, "hidden_size": 40, "intermediate_size": 54,
          "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 640, "rms_norm_eps": 1e-05,
          "rope_theta": 10000.0, "tie_word_embeddings": false, "attention_bias": false, "mlp_bias": false }
        """;

    private const string Qwen2 = """
        { "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_act": "silu", "vocab_size": 101, "hidden_size": 42, "intermediate_size": 50,
          "num_hidden_layers": 2, "num_attention_heads": 3, "num_key_value_heads": 3, "max_position_embeddings": 640, "max_window_layers": 2, "rms_norm_eps": 1e-06,
          "rope_theta": 1000000.0, "sliding_window": 32, "use_sliding_window": false, "tie_word_embeddings": false }
        """;

    private const string Qwen3 = """
        { "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_act": "silu", "vocab_size": 99, "hidden_size": 36, "intermediate_size": 58, "head_dim": 22,
          "num_hidden_layers": 2, "num_attention_heads": 6, "num_key_value_heads": 2, "max_position_embeddings": 640, "rms_norm_eps": 1e-06,
          "rope_theta": 1000000.0, "attention_bias": false, "tie_word_embeddings": false }
        """;

    private const string V2 = """
        { "architectures": ["DeepseekV2ForCausalLM"], "model_type": "deepseek_v2", "hidden_act": "silu", "vocab_size": 97, "hidden_size": 40, "intermediate_size": 54,
          "num_hidden_layers": 3, "num_attention_heads": 3, "num_key_value_heads": 3, "max_position_embeddings": 640, "rms_norm_eps": 1e-06,
          "q_lora_rank": 26, "kv_lora_rank": 24, "qk_nope_head_dim": 12, "qk_rope_head_dim": 6, "v_head_dim": 10,
          "n_routed_experts": 9, "num_experts_per_tok": 3, "moe_intermediate_size": 22, "n_shared_experts": 2, "first_k_dense_replace": 1, "moe_layer_freq": 1,
          "scoring_func": "softmax", "topk_method": "greedy", "n_group": 1, "topk_group": 1, "norm_topk_prob": false, "routed_scaling_factor": 1.0,
          "rope_theta": 10000.0, "rope_scaling": null, "tie_word_embeddings": false, "attention_bias": false }
        """;

    private const string V3 = """
        { "architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3", "hidden_act": "silu", "vocab_size": 97, "hidden_size": 40, "intermediate_size": 54,
          "num_hidden_layers": 3, "num_attention_heads": 3, "num_key_value_heads": 3, "max_position_embeddings": 640, "rms_norm_eps": 1e-06,
          "q_lora_rank": 26, "kv_lora_rank": 24, "qk_nope_head_dim": 12, "qk_rope_head_dim": 6, "v_head_dim": 10,
          "n_routed_experts": 12, "num_experts_per_tok": 3, "moe_intermediate_size": 22, "n_shared_experts": 1, "first_k_dense_replace": 1, "moe_layer_freq": 1,
          "scoring_func": "sigmoid", "topk_method": "noaux_tc", "n_group": 4, "topk_group": 2, "norm_topk_prob": true, "routed_scaling_factor": 2.5,
          "rope_theta": 10000.0, "rope_scaling": null, "tie_word_embeddings": false, "attention_bias": false }
        """;

    private const string Fp8 = """
        { "hidden_size": 160, "intermediate_size": 200, "num_hidden_layers": 2, "q_lora_rank": 136, "kv_lora_rank": 130, "moe_intermediate_size": 140, "n_routed_experts": 4,
          "num_experts_per_tok": 2, "n_group": 2, "topk_group": 1,
          "quantization_config": { "quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": [128, 128] } }
        """;

    public static IReadOnlyDictionary<string, Variant> All { get; } = Make().ToDictionary(v => v.Name, StringComparer.Ordinal);

    private static IEnumerable<Variant> Make() => [.. Llamas(), .. Qwens(), .. DeepSeekV2(), .. DeepSeekV3(), .. Ropes()];

    private static Variant[] Llamas() =>
    [
        new("llama", Llama),
        new("llama head_dim null", Llama, """{ "head_dim": null }"""),
        new("llama head_dim wider than hidden / heads", Llama, """{ "head_dim": 18 }"""),
        new("llama head_dim narrower than hidden / heads", Llama, """{ "head_dim": 6 }"""),
        new("llama head_dim where hidden / heads is no whole number", Llama, """{ "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 14 }"""),
        new("llama head_dim 2", Llama, """{ "head_dim": 2 }"""),
        new("llama one kv head", Llama, """{ "num_key_value_heads": 1 }"""),
        new("llama as many kv heads as heads", Llama, """{ "num_key_value_heads": 4 }"""),
        new("llama no num_key_value_heads", Llama, """{ "num_key_value_heads": "(absent)" }"""),
        new("llama one head", Llama, """{ "num_attention_heads": 1, "num_key_value_heads": 1 }"""),
        new("llama one layer", Llama, """{ "num_hidden_layers": 1 }"""),
        new("llama five layers", Llama, """{ "num_hidden_layers": 5 }"""),
        new("llama tied", Llama, """{ "tie_word_embeddings": true }"""),
        new("llama tied with a head though", Llama, """{ "tie_word_embeddings": true }""") { HeadThough = true },
        new("llama attention_bias", Llama, """{ "attention_bias": true }"""),
        new("llama mlp_bias", Llama, """{ "mlp_bias": true }"""),
        new("llama both biases, tied, F16", Llama, """{ "attention_bias": true, "mlp_bias": true, "tie_word_embeddings": true }""") { DType = "F16" },
        new("llama rms_norm_eps 0.1", Llama, """{ "rms_norm_eps": 0.1 }"""),
        new("llama no rms_norm_eps", Llama, """{ "rms_norm_eps": "(absent)" }"""),
        new("llama F32", Llama) { DType = "F32" },
        new("llama F16", Llama) { DType = "F16" },
        new("llama 3 shards", Llama) { Shards = 3 },
        new("llama 40 shards", Llama) { Shards = 40 },
        new("llama norms F32, matrices F16", Llama, """{ "attention_bias": true, "mlp_bias": true }""") { DType = "F16", VectorDType = "F32" },
        new("llama norms F16, matrices F32", Llama) { DType = "F32", VectorDType = "F16" },
        new("llama with rope's frequencies", Llama) { FrequenciesThough = true },
        new("llama 250 tokens", Llama, """{ "head_dim": 18, "num_hidden_layers": 1 }""") { Lengths = [250, 128, 65] },
        new("llama one token", Llama) { Lengths = [1] },
        new("llama hidden 64, intermediate 7, vocab 3", Llama, """{ "hidden_size": 64, "intermediate_size": 7, "vocab_size": 3 }"""),
    ];

    private static Variant[] Qwens() =>
    [
        new("qwen2", Qwen2),
        new("qwen2 tied", Qwen2, """{ "tie_word_embeddings": true }"""),
        new("qwen2 tied with a head though, F32", Qwen2, """{ "tie_word_embeddings": true }""") { HeadThough = true, DType = "F32" },
        new("qwen2 one kv head, F16", Qwen2, """{ "num_key_value_heads": 1 }""") { DType = "F16" },
        new("qwen2 head_dim", Qwen2, """{ "head_dim": 20 }"""),
        new("qwen2 2 shards", Qwen2) { Shards = 2 },
        new("qwen3", Qwen3),
        new("qwen3 attention_bias", Qwen3, """{ "attention_bias": true }"""),
        new("qwen3 head_dim 6", Qwen3, """{ "head_dim": 6 }"""),
        new("qwen3 no head_dim", Qwen3, """{ "head_dim": "(absent)", "num_attention_heads": 2, "num_key_value_heads": 1 }"""),
        new("qwen3 tied", Qwen3, """{ "tie_word_embeddings": true }"""),
        new("qwen3 tied, attention_bias, one kv head, F32", Qwen3, """{ "tie_word_embeddings": true, "attention_bias": true, "num_key_value_heads": 1 }""") { DType = "F32" },
        new("qwen3 as many kv heads as heads, F16, 4 shards", Qwen3, """{ "num_key_value_heads": 6 }""") { DType = "F16", Shards = 4 },
    ];

    private static Variant[] DeepSeekV2() =>
    [
        new("v2", V2),
        new("v2 direct queries", V2, """{ "q_lora_rank": null }"""),
        new("v2 3 groups of 3, 1 used", V2, """{ "topk_method": "group_limited_greedy", "n_group": 3, "topk_group": 1 }"""),
        new("v2 3 groups of 3, 2 used, scaled", V2, """{ "topk_method": "group_limited_greedy", "n_group": 3, "topk_group": 2, "routed_scaling_factor": 4.0 }"""),
        new("v2 3 groups of 3, all used", V2, """{ "topk_method": "group_limited_greedy", "n_group": 3, "topk_group": 3 }"""),
        new("v2 one group", V2, """{ "topk_method": "group_limited_greedy", "n_group": 1, "topk_group": 1 }"""),
        new("v2 groups of one", V2, """{ "topk_method": "group_limited_greedy", "n_group": 9, "topk_group": 4 }"""),
        new("v2 greedy that names groups", V2, """{ "n_group": 3, "topk_group": 1 }"""),
        new("v2 groups null", V2, """{ "n_group": null, "topk_group": null }"""),
        new("v2 no topk_method", V2, """{ "topk_method": "(absent)", "scoring_func": "(absent)", "moe_layer_freq": "(absent)" }"""),
        new("v2 routed_scaling_factor 16", V2, """{ "routed_scaling_factor": 16.0 }"""),
        new("v2 routed_scaling_factor 0.5", V2, """{ "routed_scaling_factor": 0.5 }"""),
        new("v2 every layer MoE", V2, """{ "first_k_dense_replace": 0 }"""),
        new("v2 no layer MoE", V2, """{ "first_k_dense_replace": 3 }"""),
        new("v2 last layer MoE", V2, """{ "first_k_dense_replace": 2 }"""),
        new("v2 no experts", V2, """{ "n_routed_experts": null }"""),
        new("v2 n_shared_experts null", V2, """{ "n_shared_experts": null }"""),
        new("v2 n_shared_experts 0", V2, """{ "n_shared_experts": 0 }"""),
        new("v2 n_shared_experts 1", V2, """{ "n_shared_experts": 1 }"""),
        new("v2 every second layer MoE", V2, """{ "moe_layer_freq": 2, "first_k_dense_replace": 0, "num_hidden_layers": 4 }"""),
        new("v2 one expert of one", V2, """{ "n_routed_experts": 1, "num_experts_per_tok": 1 }"""),
        new("v2 all experts", V2, """{ "num_experts_per_tok": 9 }"""),
        new("v2 one expert a token", V2, """{ "num_experts_per_tok": 1 }"""),
        new("v2 70 experts", V2, """{ "n_routed_experts": 70, "num_experts_per_tok": 6, "topk_method": "group_limited_greedy", "n_group": 7, "topk_group": 3 }"""),
        new("v2 one head", V2, """{ "num_attention_heads": 1, "num_key_value_heads": 1 }"""),
        new("v2 values wider than keys", V2, """{ "v_head_dim": 34, "qk_nope_head_dim": 5 }"""),
        new("v2 latent 70, rope 2", V2, """{ "kv_lora_rank": 70, "qk_rope_head_dim": 2 }"""),
        new("v2 latent 3", V2, """{ "kv_lora_rank": 3, "q_lora_rank": 5 }"""),
        new("v2 multiples of 64", V2, """{ "hidden_size": 64, "kv_lora_rank": 64, "q_lora_rank": 64, "qk_nope_head_dim": 32, "qk_rope_head_dim": 16, "v_head_dim": 32, "moe_intermediate_size": 64 }"""),
        new("v2 no n_shared_experts", V2, """{ "n_shared_experts": "(absent)" }"""),
        new("v2 250 tokens", V2, """{ "num_hidden_layers": 2 }""") { Lengths = [250, 64, 3] },
        new("v2 norms F32", V2) { VectorDType = "F32" },
        new("v2 rms_norm_eps 0.1", V2, """{ "rms_norm_eps": 0.1 }"""),
        new("v2 tied", V2, """{ "tie_word_embeddings": true }"""),
        new("v2 F32", V2) { DType = "F32" },
        new("v2 F16, 5 shards", V2) { DType = "F16", Shards = 5 },
    ];

    private static Variant[] DeepSeekV3() =>
    [
        new("v3", V3),
        new("v3 one group", V3, """{ "n_group": 1, "topk_group": 1 }"""),
        new("v3 4 groups, 1 used", V3, """{ "topk_group": 1 }"""),
        new("v3 4 groups, 3 used", V3, """{ "topk_group": 3 }"""),
        new("v3 4 groups, all used", V3, """{ "topk_group": 4 }"""),
        new("v3 6 groups of two", V3, """{ "n_group": 6, "topk_group": 2 }"""),
        new("v3 groups by default", V3, """{ "n_routed_experts": 24, "n_group": "(absent)", "topk_group": "(absent)", "topk_method": "(absent)", "scoring_func": "(absent)", "norm_topk_prob": "(absent)", "routed_scaling_factor": "(absent)" }"""),
        new("v3 direct queries", V3, """{ "q_lora_rank": null }"""),
        new("v3 wide correction bias", V3) { BiasSpread = 3 },
        new("v3 no correction", V3) { BiasSpread = 0 },
        new("v3 weights not normalised", V3, """{ "norm_topk_prob": false, "routed_scaling_factor": 1.0 }"""),
        new("v3 routed_scaling_factor 0.7", V3, """{ "routed_scaling_factor": 0.7 }"""),
        new("v3 one expert a token", V3, """{ "num_experts_per_tok": 1 }"""),
        new("v3 every layer MoE", V3, """{ "first_k_dense_replace": 0 }"""),
        new("v3 no layer MoE", V3, """{ "first_k_dense_replace": 3 }"""),
        new("v3 dense by default", V3, """{ "first_k_dense_replace": "(absent)", "num_hidden_layers": 4 }"""),
        new("v3 n_shared_experts 0", V3, """{ "n_shared_experts": 0 }"""),
        new("v3 n_shared_experts 2", V3, """{ "n_shared_experts": 2 }"""),
        new("v3 rope_interleave false", V3, """{ "rope_interleave": false }"""),
        new("v3 rms_norm_eps 0.1", V3, """{ "rms_norm_eps": 0.1 }"""),
        new("v3 tied with a head though", V3, """{ "tie_word_embeddings": true }""") { HeadThough = true },
        new("v3 7 heads, vocab 1031", V3, """{ "num_attention_heads": 7, "num_key_value_heads": 7, "vocab_size": 1031 }"""),
        new("v3 MTP announced, not there", V3, """{ "num_nextn_predict_layers": 1 }"""),
        new("v3 MTP", V3, """{ "num_nextn_predict_layers": 1 }""") { MtpLayer = true },
        new("v3 MTP there, not announced", V3, """{ "num_nextn_predict_layers": "(absent)" }""") { MtpLayer = true },
        new("v3 fp8, MTP, 2 shards", V3, Fp8.Replace("\"hidden_size\"", "\"num_nextn_predict_layers\": 1, \"hidden_size\"", StringComparison.Ordinal)) { MtpLayer = true, Shards = 2 },
        new("v3 no n_shared_experts", V3, """{ "n_shared_experts": "(absent)" }"""),
        new("v3 n_shared_experts null", V3, """{ "n_shared_experts": null }"""),
        new("v3 250 tokens", V3, """{ "num_hidden_layers": 2, "rope_scaling": { "type": "yarn", "factor": 8.0, "original_max_position_embeddings": 80, "mscale": 1.0, "mscale_all_dim": 1.0 } }""") { Lengths = [250, 96] },
        new("v3 bias BF16, norms F32", V3) { Float32 = "BF16", VectorDType = "F32" },
        new("v3 F32, 2 shards", V3) { DType = "F32", Shards = 2 },
        new("v3 F16", V3) { DType = "F16" },
        new("v3 fp8, ragged", V3, Fp8),
        new("v3 fp8, direct queries, 3 shards", V3, Fp8.Replace("\"q_lora_rank\": 136", "\"q_lora_rank\": null", StringComparison.Ordinal)) { Shards = 3 },
        new("v3 fp8, blocks 64 × 32", V3, Fp8.Replace("[128, 128]", "[64, 32]", StringComparison.Ordinal)),
        new("v3 fp8, blocks 24 × 40", V3, Fp8.Replace("[128, 128]", "[24, 40]", StringComparison.Ordinal)),
        new("v3 fp8, blocks 1 × 128", V3, Fp8.Replace("[128, 128]", "[1, 128]", StringComparison.Ordinal)),
        new("v3 fp8, scales BF16", V3, Fp8) { Float32 = "BF16" },
        new("v3 fp8, rest F32", V3, Fp8) { DType = "F32" },
        new("v2 fp8, ragged", V2, Fp8),
    ];

    private static IEnumerable<Variant> Ropes()
    {
        (string Family, string Ordinary)[] families = [("llama", Llama), ("qwen2", Qwen2), ("qwen3", Qwen3), ("v2", V2), ("v3", V3)];
        (string Name, string Scaling)[] scalings =
        [
            ("linear", """ "factor": 3.0"""),
            ("dynamic", """ "factor": 4.0"""),
            ("llama3", """ "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32"""),
            ("yarn", """ "factor": 4.0, "original_max_position_embeddings": 160"""),
        ];
        foreach ((string family, string ordinary) in families)
        {
            foreach ((string type, string values) in scalings)
            {
                yield return new($"{family} {type}", ordinary, $$"""{ "rope_scaling": { "type": "{{type}}", {{values}} } }""");
            }

            yield return new($"{family} rope_parameters default", ordinary, """{ "rope_theta": "(absent)", "rope_scaling": "(absent)", "rope_parameters": { "rope_type": "default", "rope_theta": 5000.0 } }""");
            yield return new($"{family} rope_scaling default", ordinary, """{ "rope_scaling": { "rope_type": "default" } }""");
            yield return new($"{family} no rope_theta", ordinary, """{ "rope_theta": "(absent)" }""");
            yield return new($"{family} yarn in rope_parameters", ordinary, """{ "rope_theta": "(absent)", "rope_scaling": "(absent)", "rope_parameters": { "rope_type": "yarn", "rope_theta": 500.0, "factor": 40.0, "original_max_position_embeddings": 16, "beta_fast": 8, "beta_slow": 2 } }""");
        }

        string[] scales = ["0.0, 0.0", "0.707, 0.0", "0.0, 0.707", "0.707, 0.707", "1.0, 1.0", "1.0, 0.0", "0.0, 1.0", "0.707, 1.0", "1.0, 0.707"];
        foreach (string pair in scales)
        {
            string[] m = pair.Split(", ");
            string yarn = $$""" "factor": 40.0, "original_max_position_embeddings": 16, "beta_fast": 32, "beta_slow": 1, "mscale": {{m[0]}}, "mscale_all_dim": {{m[1]}}""";
            yield return new($"v2 yarn mscale {pair}", V2, $$"""{ "rope_scaling": { "type": "yarn", {{yarn}} } }""");
            yield return new($"v3 yarn mscale {pair}", V3, $$"""{ "rope_scaling": { "rope_type": "yarn", {{yarn}} } }""");
        }

        yield return new("v3 yarn mscale in rope_parameters, direct queries", V3, """{ "q_lora_rank": null, "rope_theta": "(absent)", "rope_scaling": "(absent)", "rope_parameters": { "rope_type": "yarn", "type": "yarn", "rope_theta": 10000.0, "factor": 40.0, "original_max_position_embeddings": 16, "mscale": 1.0, "mscale_all_dim": 1.0 } }""");
        yield return new("v3 yarn, factor that is not the ratio of the lengths", V3, """{ "rope_scaling": { "type": "yarn", "factor": 8.0, "original_max_position_embeddings": 16, "mscale": 1.0, "mscale_all_dim": 1.0 } }""");
        yield return new("v3 yarn, no mscale", V3, """{ "rope_scaling": { "type": "yarn", "factor": 8.0, "original_max_position_embeddings": 16 } }""");
        yield return new("v3 yarn, wide rope", V3, """{ "qk_rope_head_dim": 64, "rope_scaling": { "type": "yarn", "factor": 40.0, "original_max_position_embeddings": 1024, "mscale": 1.0, "mscale_all_dim": 1.0 } }""");
        yield return new("qwen3 yarn attention_factor", Qwen3, """{ "rope_scaling": { "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 160, "attention_factor": 1.3 } }""");
        yield return new("qwen3 yarn not truncated", Qwen3, """{ "rope_scaling": { "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 160, "truncate": false } }""");
        yield return new("qwen3 yarn, no original length", Qwen3, """{ "rope_scaling": { "rope_type": "yarn", "factor": 4.0 } }""");
        yield return new("llama llama3, other bounds", Llama, """{ "head_dim": 32, "rope_scaling": { "rope_type": "llama3", "factor": 32.0, "low_freq_factor": 2.0, "high_freq_factor": 16.0, "original_max_position_embeddings": 200 } }""");
        yield return new("llama linear in rope_parameters, attention_bias", Llama, """{ "attention_bias": true, "rope_parameters": { "rope_type": "linear", "rope_theta": 20000.0, "factor": 2.0 } }""");
    }
}
