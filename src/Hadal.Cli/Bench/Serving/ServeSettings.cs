namespace Hadal.Cli.Bench.Serving;

/// <summary>What was asked for, as it went into effect.</summary>
internal sealed record ServeSettings
{
    public required string BaseUrl { get; init; }

    public required string Endpoint { get; init; }

    public required string Model { get; init; }

    public required string Dataset { get; init; }

    public int? InputLen { get; init; }

    public int? OutputLen { get; init; }

    public double? RangeRatio { get; init; }

    public int? SharedPrefixLen { get; init; }

    /// <summary>What a word of the random prompts cost, as two requests before the load showed.</summary>
    public double? TokensPerWord { get; init; }

    public long? NumPrompts { get; init; }

    public double? DurationSeconds { get; init; }

    /// <summary><c>open</c> or <c>closed</c>.</summary>
    public required string Loop { get; init; }

    /// <summary>Of an open loop.</summary>
    public double? RequestRate { get; init; }

    public double? Burstiness { get; init; }

    public int? MaxConcurrency { get; init; }

    public double? Temperature { get; init; }

    public required bool IgnoreEos { get; init; }

    public SloTargets? Goodput { get; init; }

    public required double TimeoutSeconds { get; init; }

    public required int Seed { get; init; }
}
