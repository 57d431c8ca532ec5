using Hadal.Graph.Execution;
using Hadal.Numerics;

namespace Hadal.Engine;

/// <summary>Embeddings.</summary>
public sealed partial class LlmEngine
{
    public int EmbeddingSize => (_runner as IHiddenStateRunner)?.HiddenSize ?? 0;

    public Task<EmbeddingResult> EmbedAsync(EmbeddingRequest request, CancellationToken cancellationToken = default)
    {
        if (EmbeddingSize == 0)
            throw new HadalException($"This engine makes no embeddings: its runner, {_runner.GetType().Name}, gives no hidden states.");
        return CollectAsync(StreamAsync(_checker.Check(request, EmbeddingSize), cancellationToken));
    }

    private static async Task<EmbeddingResult> CollectAsync(IAsyncEnumerable<GenerationEvent> events)
    {
        GenerationEvent? last = null;
        await foreach (GenerationEvent e in events.ConfigureAwait(false))
            last = e;
        return last switch
        {
            { Embedding: { } vector } => new EmbeddingResult(vector, last.Usage),
            { FinishReason: FinishReason.Error } => throw new HadalException(last.Error ?? "The engine gave no reason."),
            _ => throw new ObjectDisposedException(nameof(LlmEngine)),
        };
    }
}
