using System.Globalization;
using Hadal.Formats.Config;

namespace Hadal.Formats.Gguf;

/// <summary>llama.cpp's tensor names and those of Hugging Face checkpoints.</summary>
/// <remarks>Source: github.com/ggml-org/llama.cpp, gguf-py/gguf/tensor_mapping.py and constants.py.</remarks>
public static class GgufTensorNames
{
    private static readonly Dictionary<string, string> _global = new(StringComparer.Ordinal)
    {
        ["token_embd.weight"] = "model.embed_tokens.weight",
        ["output_norm.weight"] = "model.norm.weight",
        ["output.weight"] = "lm_head.weight",
    };

    // Those with .weight only where not said otherwise; .bias is kept as it is.
    private static readonly Dictionary<string, string> _block = new(StringComparer.Ordinal)
    {
        ["attn_norm"] = "input_layernorm",
        ["ffn_norm"] = "post_attention_layernorm",
        ["attn_q"] = "self_attn.q_proj",
        ["attn_k"] = "self_attn.k_proj",
        ["attn_v"] = "self_attn.v_proj",
        ["attn_output"] = "self_attn.o_proj",
        ["attn_q_norm"] = "self_attn.q_norm",
        ["attn_k_norm"] = "self_attn.k_norm",
        ["attn_q_a"] = "self_attn.q_a_proj",
        ["attn_q_a_norm"] = "self_attn.q_a_layernorm",
        ["attn_q_b"] = "self_attn.q_b_proj",
        ["attn_kv_a_mqa"] = "self_attn.kv_a_proj_with_mqa",
        ["attn_kv_a_norm"] = "self_attn.kv_a_layernorm",
        ["attn_kv_b"] = "self_attn.kv_b_proj",
        ["ffn_gate"] = "mlp.gate_proj",
        ["ffn_up"] = "mlp.up_proj",
        ["ffn_down"] = "mlp.down_proj",
        ["ffn_gate_inp"] = "mlp.gate",
        ["ffn_gate_shexp"] = "mlp.shared_experts.gate_proj",
        ["ffn_up_shexp"] = "mlp.shared_experts.up_proj",
        ["ffn_down_shexp"] = "mlp.shared_experts.down_proj",
        ["nextn.eh_proj"] = "eh_proj",
        ["nextn.enorm"] = "enorm",
        ["nextn.hnorm"] = "hnorm",
        ["nextn.embed_tokens"] = "embed_tokens",
        ["nextn.shared_head_head"] = "shared_head.head",
        ["nextn.shared_head_norm"] = "shared_head.norm",
    };

    /// <summary>llama.cpp's name of a tensor that is the same in both; null for those that are not, and for those of prediction layers.</summary>
    public static string? FromHuggingFace(string name)
    {
        foreach ((string gguf, string huggingFace) in _global)
        {
            if (huggingFace == name)
            {
                return gguf;
            }
        }

        const string prefix = "model.layers.";
        if (!name.StartsWith(prefix, StringComparison.Ordinal))
        {
            return null;
        }

        int dot = name.IndexOf('.', prefix.Length);
        if (dot < 0 || !int.TryParse(name.AsSpan(prefix.Length, dot - prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int layer))
        {
            return null;
        }

        string rest = name[(dot + 1)..];
        if (rest == "mlp.gate.e_score_correction_bias")
        {
            return $"blk.{layer}.exp_probs_b.bias";
        }

        int last = rest.LastIndexOf('.');
        foreach ((string gguf, string huggingFace) in _block)
        {
            if (last > 0 && rest[last..] is ".weight" or ".bias" && rest[..last] == huggingFace && !gguf.StartsWith("nextn.", StringComparison.Ordinal))
            {
                return $"blk.{layer}.{gguf}{rest[last..]}";
            }
        }

        return null;
    }

    /// <summary>Splits "blk.12.attn_q.weight" into 12 and "attn_q.weight".</summary>
    public static bool TrySplitBlock(string name, out int layer, out string rest)
    {
        layer = 0;
        rest = "";
        if (!name.StartsWith("blk.", StringComparison.Ordinal))
        {
            return false;
        }

        int dot = name.IndexOf('.', 4);
        if (dot < 0 || !int.TryParse(name.AsSpan(4, dot - 4), NumberStyles.None, CultureInfo.InvariantCulture, out layer) || layer >= ConfigLimits.Layers)
        {
            return false;
        }

        rest = name[(dot + 1)..];
        return true;
    }

    /// <summary>The Hugging Face name of a tensor that is the same in both; null for those that are not.</summary>
    public static string? ToHuggingFace(string name)
    {
        if (_global.TryGetValue(name, out string? global))
        {
            return global;
        }

        if (!TrySplitBlock(name, out int layer, out string rest))
        {
            return null;
        }

        // Without ".bias" in files of early 2025.
        if (rest is "exp_probs_b.bias" or "exp_probs_b")
        {
            return $"model.layers.{layer}.mlp.gate.e_score_correction_bias";
        }

        int dot = rest.LastIndexOf('.');
        return dot > 0 && (rest[dot..] is ".weight" or ".bias") && _block.TryGetValue(rest[..dot], out string? block)
            ? $"model.layers.{layer}.{block}{rest[dot..]}"
            : null;
    }
}
