namespace Hadal.Formats.Config;

/// <summary>Mixture of experts as DeepSeek builds it (arXiv:2401.06066, 2405.04434, 2412.19437).</summary>
public sealed record MoeConfig
{
    public required int NumRoutedExperts { get; init; }

    public required int NumExpertsPerTok { get; init; }

    public required int MoeIntermediateSize { get; init; }

    /// <summary>Shared experts, run as one feed-forward of this many times <see cref="MoeIntermediateSize"/>; 0 for none.</summary>
    public required int NumSharedExperts { get; init; }

    /// <summary>Layers before this one are dense.</summary>
    public required int FirstKDenseReplace { get; init; }

    /// <summary>From there on every n-th layer is MoE (1 in all published models).</summary>
    public int MoeLayerFreq { get; init; } = 1;

    public required ScoringFunc ScoringFunc { get; init; }

    public required TopkMethod TopkMethod { get; init; }

    /// <summary>Groups of experts; 1 where the method does not group.</summary>
    public int NumGroups { get; init; } = 1;

    /// <summary>Groups a token may use.</summary>
    public int TopkGroup { get; init; } = 1;

    public required bool NormTopkProb { get; init; }

    public required float RoutedScalingFactor { get; init; }

    public bool IsMoeLayer(int layer) => layer >= FirstKDenseReplace && layer % MoeLayerFreq == 0;
}
