using Hadal.Engine;
using Hadal.Extensions.AI.Chat;
using Microsoft.Extensions.AI;

namespace Hadal.Extensions.AI;

/// <summary>Embeddings of a model within this process: its hidden states after the final norm, pooled. Thread-safe; texts are batched with each other and with answers.</summary>
public sealed class HadalEmbeddingGenerator : IEmbeddingGenerator<string, Embedding<float>>
{
    // Enough to fill the engine's steps; more would only take places in the queue from others.
    private const int MaxInFlight = 64;

    private readonly ILanguageModelSource _source;
    private readonly EmbeddingGeneratorMetadata _metadata;

    /// <param name="source">The model; stays its owner's.</param>
    public HadalEmbeddingGenerator(ILanguageModelSource source)
    {
        ArgumentNullException.ThrowIfNull(source);
        _source = source;
        _metadata = new EmbeddingGeneratorMetadata("hadal", providerUri: null, source.ModelId);
    }

    /// <exception cref="ArgumentException">A text is empty or longer than the context, or an option is out of range.</exception>
    /// <exception cref="NotSupportedException">The model gives no embeddings on its device.</exception>
    public async Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        (EmbeddingRequest template, bool addSpecialTokens) = EmbeddingOptionsReader.Read(options, _source.ModelId, this);
        LanguageModel model = await _source.GetAsync(cancellationToken);
        if (model.Engine is not IEmbeddingEngine { EmbeddingSize: > 0 } engine)
            throw new NotSupportedException($"The model '{model.Id}' gives no embeddings here.");
        string id = $"embd-{Guid.NewGuid():N}";
        EmbeddingRequest[] requests = [.. values.Select((text, i) => template with { Id = $"{id}-{i}", Tokens = model.Tokenizer.Encode(text, addSpecialTokens) })];
        var results = new EmbeddingResult[requests.Length];
        try
        {
            var parallel = new ParallelOptions { MaxDegreeOfParallelism = MaxInFlight, CancellationToken = cancellationToken };
            await Parallel.ForAsync(0, requests.Length, parallel, async (i, stop) => results[i] = await engine.EmbedAsync(requests[i], stop));
        }
        catch (InvalidRequestException exception)
        {
            throw new ArgumentException(exception.Message, nameof(values), exception);
        }

        DateTimeOffset created = TimeProvider.System.GetUtcNow();
        long tokens = results.Sum(r => (long)r.Usage.PromptTokens);
        return new GeneratedEmbeddings<Embedding<float>>(results.Select(r => new Embedding<float>(r.Vector) { ModelId = model.Id, CreatedAt = created }))
        {
            Usage = new UsageDetails { InputTokenCount = tokens, TotalTokenCount = tokens, CachedInputTokenCount = results.Sum(r => (long)r.Usage.CachedTokens) },
        };
    }

    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(EmbeddingGeneratorMetadata) ? _metadata
            : serviceType.IsInstanceOfType(this) ? this
            : serviceType.IsInstanceOfType(_source) ? _source
            : null;
    }

    /// <summary>Does nothing: the model stays its owner's.</summary>
    public void Dispose()
    {
    }
}
