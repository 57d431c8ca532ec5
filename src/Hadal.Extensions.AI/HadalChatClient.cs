using System.Runtime.CompilerServices;
using Hadal.Engine;
using Hadal.Extensions.AI.Chat;
using Hadal.Formats.Chat.Reasoning;
using Hadal.Numerics;
using Microsoft.Extensions.AI;

namespace Hadal.Extensions.AI;

/// <summary>
/// Chats with a model within this process. Thread-safe and without a lock: whoever asks while others do is answered in the same steps of the engine.
/// </summary>
/// <remarks>
/// Options are honoured or refused: <see cref="NotSupportedException"/> for what cannot be done here, <see cref="ArgumentException"/> for a value out of range.
/// docs/library.md lists them.
/// </remarks>
public sealed class HadalChatClient : IChatClient
{
    private readonly ILanguageModelSource _source;
    private readonly ChatClientMetadata _metadata;

    /// <param name="source">The model; stays its owner's.</param>
    public HadalChatClient(ILanguageModelSource source)
    {
        ArgumentNullException.ThrowIfNull(source);
        _source = source;
        _metadata = new ChatClientMetadata("hadal", providerUri: null, source.ModelId);
    }

    public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        OptionRules.Check(options);
        if (options?.ModelId is { } asked && asked != _source.ModelId)
            throw new ArgumentException($"ChatOptions.ModelId is '{asked}'; this client's model is '{_source.ModelId}'.", nameof(options));
        LanguageModel model = await _source.GetAsync(cancellationToken);
        ChatCall call = ChatCall.Create(model, messages, options, this);

        string id = $"chatcmpl-{Guid.NewGuid():N}";
        DateTimeOffset created = TimeProvider.System.GetUtcNow();
        ChatResponseUpdate Update(params IList<AIContent> contents) => new(ChatRole.Assistant, contents) { ResponseId = id, MessageId = id, ModelId = model.Id, CreatedAt = created };

        bool isOver = false;
        await foreach (var e in Start(model, call, options, id, cancellationToken))
        {
            TextDelta delta = call.Reader.Append(e, out IReadOnlyList<FunctionCallContent> calls);
            if (delta.Reasoning.Length > 0 && call.ShowsReasoning)
                yield return Update(new TextReasoningContent(delta.Reasoning));
            if (delta.Content.Length > 0)
                yield return Update(new TextContent(delta.Content));
            if (calls.Count > 0)
                yield return Update([.. calls]);
            if (e.FinishReason is { } reason)
            {
                isOver = true;
                ChatResponseUpdate last = Update(new UsageContent(Usage(e.Usage, call.Reader.ReasoningTokens)));
                last.FinishReason = Finish(reason, e) is var finish && finish == ChatFinishReason.Stop && call.Reader.HasCalls ? ChatFinishReason.ToolCalls : finish;
                yield return last;
            }
        }

        if (!isOver)
            throw new HadalException("The engine ended the answer without a reason.");
    }

    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(ChatClientMetadata) ? _metadata
            : serviceType.IsInstanceOfType(this) ? this
            : serviceType.IsInstanceOfType(_source) ? _source
            : null;
    }

    /// <summary>Does nothing: the model stays its owner's.</summary>
    public void Dispose()
    {
    }

    private static IAsyncEnumerable<GenerationEvent> Start(LanguageModel model, ChatCall call, ChatOptions? options, string id, CancellationToken cancellationToken)
    {
        try
        {
            return model.Engine.GenerateAsync(call.Request with { Id = id }, cancellationToken);
        }
        catch (InvalidRequestException exception)
        {
            throw new ArgumentException(exception.Message, nameof(options), exception);
        }
    }

    private static ChatFinishReason Finish(FinishReason reason, GenerationEvent e) => reason switch
    {
        FinishReason.Stop => ChatFinishReason.Stop,
        FinishReason.Length => ChatFinishReason.Length,
        FinishReason.Error => throw new HadalException($"The engine failed on this request: {e.Error ?? "no reason given"}"),

        // Not by the caller's token, which would have thrown: the model is being disposed.
        _ => throw new ObjectDisposedException(nameof(HadalModel), "The model was disposed while it answered."),
    };

    private static UsageDetails Usage(TokenUsage usage, int reasoningTokens) => new()
    {
        InputTokenCount = usage.PromptTokens,
        OutputTokenCount = usage.CompletionTokens,
        TotalTokenCount = usage.PromptTokens + usage.CompletionTokens,
        CachedInputTokenCount = usage.CachedTokens,
        ReasoningTokenCount = reasoningTokens,
    };
}
