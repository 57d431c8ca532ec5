using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Hadal.Extensions.AI.Chat;
using Hadal.Extensions.AI.Http;
using Microsoft.Extensions.AI;

namespace Hadal.Extensions.AI;

/// <summary>
/// Chats with a Hadal server over HTTP, or with another one that speaks the OpenAI API. Unlike clients of OpenAI's own it knows thinking
/// (<c>reasoning_content</c>), and gives every option of <see cref="ChatOptions"/> to the server. Thread-safe.
/// </summary>
public sealed class HadalHttpChatClient : IChatClient
{
    private readonly ApiConnection _connection;
    private readonly ChatClientMetadata _metadata;
    private readonly string _modelId;

    /// <param name="endpoint">With the version: http://127.0.0.1:8000/v1.</param>
    /// <param name="modelId">What the server calls the model.</param>
    /// <param name="apiKey">Null where it asks for none.</param>
    /// <param name="httpClient">Stays its owner's; null for one of this client's own, which waits without end: cancel by the token.</param>
    public HadalHttpChatClient(Uri endpoint, string modelId, string? apiKey = null, HttpClient? httpClient = null)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        ArgumentException.ThrowIfNullOrWhiteSpace(modelId);
        _connection = new ApiConnection(endpoint, apiKey, httpClient);
        _modelId = modelId;
        _metadata = new ChatClientMetadata("hadal", endpoint, modelId);
    }

    /// <exception cref="HttpRequestException">The server refused (its message and status say why), or was not reached.</exception>
    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        OptionRules.Check(options);
        using HttpResponseMessage response = await _connection.PostAsync("chat/completions", ChatBody.Write(messages, options, _modelId, stream: false, this), HttpCompletionOption.ResponseContentRead, cancellationToken);
        using JsonDocument answer = await ApiConnection.ReadJsonAsync(response, cancellationToken);
        var reader = new ChunkAssembler(options?.Reasoning?.Output != ReasoningOutput.None);
        List<ChatResponseUpdate> updates = [.. reader.Read(answer.RootElement, "message"), .. reader.End()];
        return updates.ToChatResponse();
    }

    /// <exception cref="HttpRequestException">As above; also where the stream breaks off or brings an error.</exception>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        OptionRules.Check(options);
        using HttpResponseMessage response = await _connection.PostAsync("chat/completions", ChatBody.Write(messages, options, _modelId, stream: true, this), HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        await using Stream stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        var reader = new ChunkAssembler(options?.Reasoning?.Output != ReasoningOutput.None);
        await foreach (SseItem<string> item in SseParser.Create(stream).EnumerateAsync(cancellationToken))
        {
            if (item.Data == "[DONE]")
            {
                foreach (var update in reader.End())
                    yield return update;
                yield break;
            }

            using JsonDocument chunk = ApiConnection.Parse(item.Data);
            ApiConnection.ThrowIfError(chunk.RootElement, response.StatusCode);
            foreach (var update in reader.Read(chunk.RootElement, "delta"))
                yield return update;
        }

        throw new HttpRequestException(HttpRequestError.ResponseEnded, "The stream ended before the answer did.");
    }

    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null : serviceType == typeof(ChatClientMetadata) ? _metadata : serviceType.IsInstanceOfType(this) ? this : null;
    }

    public void Dispose() => _connection.Dispose();
}
