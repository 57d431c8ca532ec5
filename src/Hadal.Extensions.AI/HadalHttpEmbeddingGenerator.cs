using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hadal.Extensions.AI.Chat;
using Hadal.Extensions.AI.Http;
using Microsoft.Extensions.AI;

namespace Hadal.Extensions.AI;

/// <summary>Embeddings of a Hadal server over HTTP, or of another one that speaks the OpenAI API. Thread-safe.</summary>
public sealed class HadalHttpEmbeddingGenerator : IEmbeddingGenerator<string, Embedding<float>>
{
    private readonly ApiConnection _connection;
    private readonly EmbeddingGeneratorMetadata _metadata;
    private readonly string _modelId;

    /// <param name="endpoint">With the version: http://127.0.0.1:8000/v1.</param>
    /// <param name="modelId">What the server calls the model.</param>
    /// <param name="apiKey">Null where it asks for none.</param>
    /// <param name="httpClient">Stays its owner's; null for one of this generator's own.</param>
    public HadalHttpEmbeddingGenerator(Uri endpoint, string modelId, string? apiKey = null, HttpClient? httpClient = null)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        ArgumentException.ThrowIfNullOrWhiteSpace(modelId);
        _connection = new ApiConnection(endpoint, apiKey, httpClient);
        _modelId = modelId;
        _metadata = new EmbeddingGeneratorMetadata("hadal", endpoint, modelId);
    }

    /// <exception cref="HttpRequestException">The server refused (its message and status say why), or was not reached.</exception>
    public async Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        JsonNode[] texts = [.. values.Select(text => (JsonNode)text)];
        if (texts.Length == 0)
            return [];
        using HttpResponseMessage response = await _connection.PostAsync("embeddings", Body(texts, options), HttpCompletionOption.ResponseContentRead, cancellationToken);
        using JsonDocument answer = await ApiConnection.ReadJsonAsync(response, cancellationToken);
        try
        {
            return Read(answer.RootElement, texts.Length);
        }
        catch (Exception e) when (e is InvalidOperationException or FormatException or KeyNotFoundException or IndexOutOfRangeException)
        {
            throw new HttpRequestException(HttpRequestError.InvalidResponse, $"The server's answer is no list of embeddings: {e.Message}", e);
        }
    }

    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null : serviceType == typeof(EmbeddingGeneratorMetadata) ? _metadata : serviceType.IsInstanceOfType(this) ? this : null;
    }

    public void Dispose() => _connection.Dispose();

    private JsonObject Body(JsonNode[] texts, EmbeddingGenerationOptions? options)
    {
        JsonObject body = options?.RawRepresentationFactory?.Invoke(this) switch
        {
            null => [],
            JsonObject raw => (JsonObject)raw.DeepClone(),
            var other => throw new NotSupportedException($"EmbeddingGenerationOptions.RawRepresentationFactory gave {other.GetType().FullName}; a {typeof(JsonObject).FullName}, the request's body, is what is understood here."),
        };
        body["model"] = options?.ModelId ?? _modelId;
        body["input"] = new JsonArray(texts);
        body["encoding_format"] = "base64";
        if (options?.Dimensions is { } dimensions)
            body["dimensions"] = dimensions;
        foreach (var (name, value) in options?.AdditionalProperties ?? [])
        {
            if (name is "model" or "input" or "encoding_format")
                throw new ArgumentException($"EmbeddingGenerationOptions.AdditionalProperties cannot set '{name}', which this generator sets itself.", nameof(options));
            body[name] = value is null ? null : JsonSerializer.SerializeToNode(value, PlainJson.Type(value.GetType()));
        }

        return body;
    }

    private GeneratedEmbeddings<Embedding<float>> Read(JsonElement answer, int count)
    {
        string model = answer.TryGetProperty("model", out JsonElement name) ? name.GetString() ?? _modelId : _modelId;
        DateTimeOffset created = TimeProvider.System.GetUtcNow();
        var vectors = new Embedding<float>[count];
        int numGiven = 0;
        foreach (JsonElement item in answer.GetProperty("data").EnumerateArray())
        {
            int index = item.TryGetProperty("index", out JsonElement given) ? given.GetInt32() : numGiven;
            vectors[index] = new Embedding<float>(Vector(item.GetProperty("embedding"))) { ModelId = model, CreatedAt = created };
            numGiven++;
        }

        if (Array.IndexOf(vectors, null) is >= 0 and var missing)
            throw new FormatException($"{numGiven} came for {count} texts, and none for text {missing}.");
        var embeddings = new GeneratedEmbeddings<Embedding<float>>(vectors);
        if (answer.TryGetProperty("usage", out JsonElement usage) && usage.ValueKind == JsonValueKind.Object)
        {
            embeddings.Usage = new UsageDetails
            {
                InputTokenCount = usage.TryGetProperty("prompt_tokens", out JsonElement prompt) ? prompt.GetInt64() : null,
                TotalTokenCount = usage.TryGetProperty("total_tokens", out JsonElement total) ? total.GetInt64() : null,
                CachedInputTokenCount = usage.TryGetProperty("prompt_tokens_details", out JsonElement details) && details.TryGetProperty("cached_tokens", out JsonElement cached) ? cached.GetInt64() : null,
            };
        }

        return embeddings;
    }

    // Base64 was asked for; a server that does not know it gives numbers.
    private static float[] Vector(JsonElement json)
    {
        if (json.ValueKind == JsonValueKind.Array)
            return [.. json.EnumerateArray().Select(v => v.GetSingle())];
        byte[] bytes = json.GetBytesFromBase64();
        if (bytes.Length % sizeof(float) != 0)
            throw new FormatException($"A vector has {bytes.Length} bytes, which are no whole float32s.");
        var vector = new float[bytes.Length / sizeof(float)];
        for (int i = 0; i < vector.Length; i++)
            vector[i] = BinaryPrimitives.ReadSingleLittleEndian(bytes.AsSpan(i * sizeof(float)));
        return vector;
    }
}
