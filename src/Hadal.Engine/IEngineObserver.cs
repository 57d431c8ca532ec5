namespace Hadal.Engine;

/// <summary>
/// What happens in the engine, for histograms. Called on the engine's thread between steps: must be quick, must not block and must not throw.
/// </summary>
public interface IEngineObserver
{
    /// <summary>A request got its first share of a step, <paramref name="queueTime"/> after it was admitted.</summary>
    void OnStarted(TimeSpan queueTime, int numPromptTokens, int numCachedTokens);

    /// <summary>The first token of a request, counted from its admission (TTFT).</summary>
    void OnFirstToken(TimeSpan timeToFirstToken);

    /// <summary>Every later token of a choice, counted from the one before (inter-token latency).</summary>
    void OnNextToken(TimeSpan interTokenTime);

    /// <summary>One step of the model.</summary>
    void OnStep(TimeSpan stepTime, int numTokens, int numSequences);

    /// <summary>The end of a request, once for each: usage summed over its choices, time since its admission.</summary>
    void OnFinished(FinishReason reason, TokenUsage usage, TimeSpan totalTime);
}
