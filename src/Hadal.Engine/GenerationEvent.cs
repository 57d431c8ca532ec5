using System.Diagnostics;

namespace Hadal.Engine;

/// <summary>One token of one choice, or the end of the choice.</summary>
public sealed record GenerationEvent
{
    /// <summary>Which of the N answers.</summary>
    public required int ChoiceIndex { get; init; }

    /// <summary>The token; -1 where the event only ends the choice.</summary>
    public required int TokenId { get; init; }

    /// <summary>
    /// Text that is now certain: never half a character, never the beginning of what may become a stop string.
    /// The texts of a choice, joined, are its answer.
    /// </summary>
    public required string Text { get; init; }

    public TokenLogProb? LogProb { get; init; }

    /// <summary>On the first event of a request that asked for them; the first token of a prompt has none (null).</summary>
    public IReadOnlyList<TokenLogProb?>? PromptLogProbs { get; init; }

    /// <summary>The pooled hidden states, on the one event of a request that asked for them.</summary>
    internal float[]? Embedding { get; init; }

    /// <summary>Set on the last event of a choice, and only there.</summary>
    public FinishReason? FinishReason { get; init; }

    /// <summary>The stop string that ended it, where one did.</summary>
    public string? StopString { get; init; }

    /// <summary>What went wrong, with <see cref="FinishReason.Error"/>.</summary>
    public string? Error { get; init; }

    /// <summary>When it was made (<see cref="Stopwatch.GetTimestamp"/>): whoever reads late still knows how fast it came.</summary>
    public long Timestamp { get; init; } = Stopwatch.GetTimestamp();

    /// <summary>Of this choice so far.</summary>
    public required TokenUsage Usage { get; init; }
}
