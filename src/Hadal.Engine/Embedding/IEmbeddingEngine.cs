namespace Hadal.Engine;

/// <summary>Makes embeddings of texts: hidden states after the final norm, pooled. Calls from many threads are batched with each other and with answers. Thread-safe.</summary>
public interface IEmbeddingEngine
{
    /// <summary>Elements of an embedding: the model's hidden size. 0 where the engine's runner gives no hidden states: then every request is refused.</summary>
    int EmbeddingSize { get; }

    /// <summary>Most tokens of one text.</summary>
    int MaxContextLen { get; }

    /// <summary>Computes one text's embedding. Cancelling frees its pages at once.</summary>
    /// <exception cref="InvalidRequestException">The text is empty or too long, a token id or <see cref="EmbeddingRequest.Dimensions"/> is out of range.</exception>
    /// <exception cref="QueueFullException">As many requests wait as may.</exception>
    /// <exception cref="Hadal.Numerics.HadalException">The step failed, or the hidden states hold NaN or infinity.</exception>
    Task<EmbeddingResult> EmbedAsync(EmbeddingRequest request, CancellationToken cancellationToken = default);
}
