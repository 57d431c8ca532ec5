namespace Hadal.Formats.Config;

/// <summary>Rotary position embedding: <c>rope_parameters</c>, or <c>rope_theta</c> with <c>rope_scaling</c>.</summary>
public sealed record RopeConfig
{
    public required RopeType Type { get; init; }

    public required double Theta { get; init; }

    /// <summary>
    /// Pairs (2i, 2i+1) rotate together (DeepSeek's own layout, and GGUF files of llama); else pairs (i, i + R/2).
    /// </summary>
    public required bool Interleaved { get; init; }

    /// <summary>Context extension factor (linear, llama3, yarn).</summary>
    public double Factor { get; init; } = 1;

    public int OriginalMaxPositionEmbeddings { get; init; }

    public double BetaFast { get; init; } = 32;

    public double BetaSlow { get; init; } = 1;

    /// <summary>YaRN magnitude scales; null where the file names none (then the usual 0.1 ln(factor) + 1 applies).</summary>
    public double? Mscale { get; init; }

    public double? MscaleAllDim { get; init; }

    /// <summary>YaRN: the factor on cos and sin where the file states it.</summary>
    public double? AttentionFactor { get; init; }

    /// <summary>YaRN: round the ends of the ramp to whole dimensions (the default everywhere).</summary>
    public bool Truncate { get; init; } = true;

    public double LowFreqFactor { get; init; } = 1;

    public double HighFreqFactor { get; init; } = 4;

    /// <summary>GGUF <c>rope_freqs.weight</c>: divides each frequency; null for none.</summary>
    public IReadOnlyList<float>? FrequencyFactors { get; init; }
}
