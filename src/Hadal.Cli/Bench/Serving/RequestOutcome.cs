namespace Hadal.Cli.Bench.Serving;

/// <summary>What came of one request, on the client's clock.</summary>
internal sealed record RequestOutcome
{
    /// <summary>Null for an answer that came whole and well-formed; else what went wrong, as a short kind that errors are counted by.</summary>
    public string? Error { get; init; }

    /// <summary>It was running when the load was ended: neither good nor bad.</summary>
    public bool IsInterrupted { get; init; }

    public bool IsSuccess => Error is null && !IsInterrupted;

    /// <summary>How much later it was sent than the schedule had it.</summary>
    public TimeSpan Lag { get; init; }

    /// <summary>From sending to the first text; null for an answer without any.</summary>
    public TimeSpan? Ttft { get; init; }

    /// <summary>From sending to the last text (to the end of the stream for an answer without any).</summary>
    public TimeSpan E2e { get; init; }

    /// <summary>Between chunks with text, in milliseconds.</summary>
    public IReadOnlyList<float> ItlMs { get; init; } = [];

    /// <summary>As the usage says; without one, what is known of it otherwise.</summary>
    public int PromptTokens { get; init; }

    public int CachedTokens { get; init; }

    public int OutputTokens { get; init; }

    /// <summary>The server sent a usage; else the output tokens are chunks with text.</summary>
    public bool HasUsage { get; init; }

    public string? FinishReason { get; init; }

    /// <summary>Time per token after the first.</summary>
    public TimeSpan? Tpot => Ttft is { } ttft && OutputTokens > 1 ? (E2e - ttft) / (OutputTokens - 1) : null;
}
