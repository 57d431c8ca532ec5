namespace Hadal.Formats.Config;

/// <summary>
/// What a checkpoint says of its model, under the names of <c>config.json</c> (docs/glossary.md ties each to the papers).
/// Read from Hugging Face <c>config.json</c> or from GGUF metadata; checked when read, so that every value here is usable as it is.
/// </summary>
public sealed record ModelConfig
{
    /// <summary><c>model_type</c>: deepseek_v2, deepseek_v3, llama, qwen2, qwen3.</summary>
    public required string ModelType { get; init; }

    public required int VocabSize { get; init; }

    public required int HiddenSize { get; init; }

    public required int IntermediateSize { get; init; }

    public required int NumHiddenLayers { get; init; }

    public required int NumAttentionHeads { get; init; }

    public required int NumKeyValueHeads { get; init; }

    /// <summary>Width of one head for grouped-query attention; MLA uses the Qk*/V* widths instead.</summary>
    public required int HeadDim { get; init; }

    public required int MaxPositionEmbeddings { get; init; }

    public required float RmsNormEps { get; init; }

    public required RopeConfig Rope { get; init; }

    public bool TieWordEmbeddings { get; init; }

    /// <summary>q, k and v projections carry a bias (Qwen2 always does; Llama and Qwen3 by <c>attention_bias</c>); of latent attention the two down-projections.</summary>
    public bool QkvBias { get; init; }

    /// <summary>The output projection of attention carries a bias (<c>attention_bias</c>, but for Qwen2).</summary>
    public bool OutputBias { get; init; }

    /// <summary>The feed-forward projections carry a bias (Llama's <c>mlp_bias</c>).</summary>
    public bool MlpBias { get; init; }

    /// <summary>Multi-head latent attention; null for grouped-query attention.</summary>
    public MlaConfig? Mla { get; init; }

    /// <summary>Mixture of experts; null for dense models.</summary>
    public MoeConfig? Moe { get; init; }

    /// <summary>Multi-token-prediction layers behind the trunk (<c>num_nextn_predict_layers</c>).</summary>
    public int NumNextnPredictLayers { get; init; }

    /// <summary>Rows and columns of one scale block where weights are e4m3 with <c>weight_scale_inv</c>; null otherwise.</summary>
    public (int Rows, int Columns)? Fp8BlockSize { get; init; }

    public int? BosTokenId { get; init; }

    /// <summary>Ids that end a text, from <c>generation_config.json</c> where it names more than <c>config.json</c>.</summary>
    public IReadOnlyList<int> EosTokenIds { get; init; } = [];

    /// <summary>Sampling defaults of <c>generation_config.json</c>; null where it says nothing.</summary>
    public float? DefaultTemperature { get; init; }

    public float? DefaultTopP { get; init; }

    public int? DefaultTopK { get; init; }
}
