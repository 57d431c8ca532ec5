namespace Hadal.Engine;

/// <summary>Counts since the engine started, and what is so now. Feeds /metrics.</summary>
public sealed record EngineStats
{
    public int Running { get; init; }

    public int Waiting { get; init; }

    public int KvBlocksTotal { get; init; }

    /// <summary>Pages held by running requests.</summary>
    public int KvBlocksUsed { get; init; }

    /// <summary>Pages kept only for prefix reuse; they can be taken at any time.</summary>
    public int KvBlocksCached { get; init; }

    public long PromptTokens { get; init; }

    public long CachedPromptTokens { get; init; }

    public long GeneratedTokens { get; init; }

    public long Steps { get; init; }

    public long Preemptions { get; init; }

    public long RequestsFinished { get; init; }

    public long RequestsCancelled { get; init; }

    public long RequestsFailed { get; init; }

    /// <summary>Deadline passed, or shed from a full queue.</summary>
    public long RequestsDropped { get; init; }

    /// <summary>How speculation fares; null without it.</summary>
    public SpeculationStats? Speculation { get; init; }

    /// <summary>Seconds spent in model steps.</summary>
    public double StepSeconds { get; init; }
}
