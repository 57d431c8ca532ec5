namespace Hadal.Cli.Bench;

internal sealed record SpeculationReport
{
    public required string Model { get; init; }

    public required string Command { get; init; }

    public required string Version { get; init; }

    public required string Machine { get; init; }

    public required string Device { get; init; }

    public required string Method { get; init; }

    public required int MaxDraftTokens { get; init; }

    public required bool Adaptive { get; init; }

    public float? Relaxed { get; init; }

    public required IReadOnlyList<SpeculationCase> Cases { get; init; }
}
