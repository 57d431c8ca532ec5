using System.Buffers;
using System.Buffers.Binary;
using System.Text.Json;
using Hadal.Engine;
using Hadal.Server.Access;
using Hadal.Server.Generation;
using Hadal.Server.Http;
using Hadal.Server.Requests;
using Hadal.Server.Telemetry;
using Microsoft.AspNetCore.Http;

namespace Hadal.Server.Endpoints;

internal sealed class EmbeddingsEndpoint(ModelRegistry models, HadalServerOptions options, ServerLifecycle lifecycle, ServerMetrics metrics)
{
    // Enough to fill the engine's steps; more would only take places in the queue from others.
    private const int MaxInFlight = 64;

    public async Task InvokeAsync(HttpContext context)
    {
        EmbeddingsRequest request;
        IEmbeddingEngine engine;
        using (var document = await JsonBody.ReadAsync(context))
        {
            var body = new JsonFields(document.RootElement);
            var model = await models.GetAsync(context, body.RequiredString("model"));
            engine = model.Engine is IEmbeddingEngine { EmbeddingSize: > 0 } able
                ? able
                : throw ApiException.NotSupported("model", $"The model '{model.Id}' gives no embeddings here.");
            request = EmbeddingsRequest.Read(body, model, options, engine.EmbeddingSize);
        }

        var caller = context.Features.Get<Caller>();
        caller?.TakePromptTokens(context, request.Inputs.Sum(input => (long)input.Length));
        EmbeddingResult[] results = await EmbedAsync(context, engine, request, caller);
        await using var answer = JsonResponse.Begin(context);
        Write(answer.Json, request, results);
        await answer.CompleteAsync();
    }

    private async Task<EmbeddingResult[]> EmbedAsync(HttpContext context, IEmbeddingEngine engine, EmbeddingsRequest request, Caller? caller)
    {
        using var lease = lifecycle.Enter();
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifecycle.HardStop);
        long arrived = options.TimeProvider.GetTimestamp();
        string id = $"embd-{Guid.NewGuid():N}";
        var results = new EmbeddingResult[request.Inputs.Length];
        try
        {
            var parallel = new ParallelOptions { MaxDegreeOfParallelism = MaxInFlight, CancellationToken = cancel.Token };
            await Parallel.ForAsync(0, results.Length, parallel, async (i, stop) => results[i] = await engine.EmbedAsync(
                new EmbeddingRequest
                {
                    Id = results.Length == 1 ? id : $"{id}-{i}",
                    Tokens = request.Inputs[i],
                    Adapter = request.Model.Adapter,
                    Priority = caller?.Priority ?? 0,
                    Tenant = caller?.Tenant ?? "",
                    Pooling = request.Pooling,
                    Dimensions = request.Dimensions,
                },
                stop));
        }
        catch (ObjectDisposedException)
        {
            // The engine goes down before the server: to the client it is the same.
            cancel.Token.ThrowIfCancellationRequested();
            throw ApiException.ShuttingDown();
        }
        catch (Exception exception) when (exception is not (InvalidRequestException or QueueFullException or OperationCanceledException))
        {
            throw new EngineFailedException($"The engine ended the embeddings {id} with: {exception.Message}");
        }

        metrics.RequestDuration.Record(options.TimeProvider.GetElapsedTime(arrived).TotalSeconds, new KeyValuePair<string, object?>("model", request.Model.Id));
        return results;
    }

    private static void Write(Utf8JsonWriter json, EmbeddingsRequest request, EmbeddingResult[] results)
    {
        json.WriteStartObject();
        json.WriteString("object"u8, "list"u8);
        json.WriteStartArray("data"u8);
        for (int i = 0; i < results.Length; i++)
        {
            json.WriteStartObject();
            json.WriteString("object"u8, "embedding"u8);
            json.WriteNumber("index"u8, i);
            WriteVector(json, results[i].Vector, request.Base64);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteString("model"u8, request.Model.Id);
        int promptTokens = results.Sum(r => r.Usage.PromptTokens);
        json.WriteStartObject("usage"u8);
        json.WriteNumber("prompt_tokens"u8, promptTokens);
        json.WriteNumber("total_tokens"u8, promptTokens);
        json.WriteStartObject("prompt_tokens_details"u8);
        json.WriteNumber("cached_tokens"u8, results.Sum(r => r.Usage.CachedTokens));
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteVector(Utf8JsonWriter json, float[] vector, bool base64)
    {
        if (!base64)
        {
            json.WriteStartArray("embedding"u8);
            foreach (float value in vector)
                json.WriteNumberValue(value);
            json.WriteEndArray();
            return;
        }

        byte[] bytes = ArrayPool<byte>.Shared.Rent(vector.Length * sizeof(float));
        for (int i = 0; i < vector.Length; i++)
            BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(i * sizeof(float)), vector[i]);
        json.WriteBase64String("embedding"u8, bytes.AsSpan(0, vector.Length * sizeof(float)));
        ArrayPool<byte>.Shared.Return(bytes);
    }
}
