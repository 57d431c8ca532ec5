namespace Hadal.Engine;

/// <summary>Takes requests from many callers at once and batches them. Thread-safe.</summary>
public interface IEngine : IAsyncDisposable
{
    int VocabSize { get; }

    int MaxContextLen { get; }

    /// <summary>
    /// Admits a request and streams its events until every choice has ended. Cancelling the token, or leaving the enumeration early, frees its pages at once.
    /// </summary>
    /// <exception cref="InvalidRequestException">The request cannot be served as it is: prompt empty or too long, token id out of range, a parameter out of bounds.</exception>
    /// <exception cref="QueueFullException">As many requests wait as may; or, later, a more urgent one took this one's place in the queue.</exception>
    /// <exception cref="DeadlineExceededException">The request's time was over before its last token.</exception>
    /// <exception cref="EngineUnavailableException">The device or the engine itself has failed for good.</exception>
    IAsyncEnumerable<GenerationEvent> GenerateAsync(GenerationRequest request, CancellationToken cancellationToken = default);

    EngineStats GetStats();

    /// <summary>Why the engine takes no requests any more; null while it works.</summary>
    string? Failure => null;
}
