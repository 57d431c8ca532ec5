namespace Hadal.Cli.Verbs;

internal sealed record ExplainReport
{
    public required string Model { get; init; }

    public required string Fusion { get; init; }

    public required int NodesBefore { get; init; }

    public required int NodesAfter { get; init; }

    public required IReadOnlyList<PassLine> Passes { get; init; }

    public required IReadOnlyList<string> Program { get; init; }

    /// <summary>Bytes of activations a token, with a buffer for every value.</summary>
    public required long NaiveBytesPerToken { get; init; }

    /// <summary>Bytes of activations a token, as planned.</summary>
    public required long PlannedBytesPerToken { get; init; }

    /// <summary>Bytes alive together at the worst moment: no plan can do better.</summary>
    public required long LowerBoundBytesPerToken { get; init; }

    /// <summary>With --asm: the code that is emitted for the program.</summary>
    public EmittedCode? Emitted { get; init; }

    internal sealed record PassLine(string Name, int Changes, string Why);
}
