using Hadal.Numerics;

namespace Hadal.TestKit.Gguf;

/// <summary>How <see cref="GgufConverter"/> writes a checkpoint.</summary>
public sealed record GgufConversion
{
    /// <summary>Type of the matrices; those whose rows are not whole blocks become what llama.cpp falls back to.</summary>
    public DType WeightType { get; init; } = DType.Bf16;

    /// <summary>As since early 2025: attn_k_b (transposed) and attn_v_b, and the key lengths of the latent; else attn_kv_b and those of a head.</summary>
    public bool SplitKvB { get; init; } = true;

    /// <summary>One ffn_gate_up_exps in place of gate and up.</summary>
    public bool MergeGateUp { get; init; }

    /// <summary>Write expert_gating_func (files of V2 before 2025 have none).</summary>
    public bool GatingFunc { get; init; } = true;
}
