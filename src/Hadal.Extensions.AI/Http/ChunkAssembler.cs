using System.Text;
using System.Text.Json;
using Hadal.Extensions.AI.Chat;
using Microsoft.Extensions.AI;

namespace Hadal.Extensions.AI.Http;

/// <summary>Makes updates of the chunks of a streamed answer, or of a whole one. A tool call is given when it is complete.</summary>
internal sealed class ChunkAssembler(bool showsReasoning)
{
    private readonly SortedDictionary<int, CallParts> _calls = [];
    private string? _id;
    private string? _model;
    private DateTimeOffset? _created;
    private ChatFinishReason? _finish;
    private UsageDetails? _usage;

    /// <param name="json">A chat.completion.chunk or chat.completion.</param>
    /// <param name="textProperty">Where a choice has its text: delta or message.</param>
    public IEnumerable<ChatResponseUpdate> Read(JsonElement json, string textProperty)
    {
        _id ??= Text(json, "id");
        _model ??= Text(json, "model");
        _created ??= json.TryGetProperty("created", out JsonElement created) && created.TryGetInt64(out long seconds) ? DateTimeOffset.FromUnixTimeSeconds(seconds) : null;
        if (json.TryGetProperty("usage", out JsonElement usage) && usage.ValueKind == JsonValueKind.Object)
            _usage = Usage(usage);
        var updates = new List<ChatResponseUpdate>();
        if (!json.TryGetProperty("choices", out JsonElement choices) || choices.ValueKind != JsonValueKind.Array)
            return updates;
        foreach (JsonElement choice in choices.EnumerateArray())
        {
            if (choice.TryGetProperty(textProperty, out JsonElement delta) && delta.ValueKind == JsonValueKind.Object)
            {
                if (showsReasoning && (Text(delta, "reasoning_content") ?? Text(delta, "reasoning")) is { Length: > 0 } thought)
                    updates.Add(Update(new TextReasoningContent(thought)));
                if (Text(delta, "content") is { Length: > 0 } text)
                    updates.Add(Update(new TextContent(text)));
                AddCalls(delta);
            }

            if (Text(choice, "finish_reason") is { } reason)
                _finish = new ChatFinishReason(reason);
        }

        return updates;
    }

    public IEnumerable<ChatResponseUpdate> End()
    {
        var contents = new List<AIContent>();
        foreach (CallParts call in _calls.Values)
            contents.Add(ToolJson.Call(call.Id.Length > 0 ? call.Id : $"call_{Guid.NewGuid():N}", call.Name.ToString(), call.Arguments.ToString()));
        if (_usage is not null)
            contents.Add(new UsageContent(_usage));
        ChatResponseUpdate last = Update([.. contents]);
        last.FinishReason = _finish;
        return [last];
    }

    private void AddCalls(JsonElement delta)
    {
        if (!delta.TryGetProperty("tool_calls", out JsonElement calls) || calls.ValueKind != JsonValueKind.Array)
            return;
        int position = 0;
        foreach (JsonElement call in calls.EnumerateArray())
        {
            // A whole answer has no indices.
            int index = call.TryGetProperty("index", out JsonElement given) && given.TryGetInt32(out int number) ? number : position;
            position++;
            if (!_calls.TryGetValue(index, out CallParts? parts))
                _calls.Add(index, parts = new CallParts());
            parts.Id = Text(call, "id") is { Length: > 0 } id ? id : parts.Id;
            if (!call.TryGetProperty("function", out JsonElement function) || function.ValueKind != JsonValueKind.Object)
                continue;
            parts.Name.Append(Text(function, "name"));
            parts.Arguments.Append(Text(function, "arguments"));
        }
    }

    private ChatResponseUpdate Update(params IList<AIContent> contents) => new(ChatRole.Assistant, contents) { ResponseId = _id, MessageId = _id, ModelId = _model, CreatedAt = _created };

    private static UsageDetails Usage(JsonElement usage)
    {
        long? prompt = Number(usage, "prompt_tokens"), output = Number(usage, "completion_tokens");
        return new UsageDetails
        {
            InputTokenCount = prompt,
            OutputTokenCount = output,
            TotalTokenCount = Number(usage, "total_tokens") ?? prompt + output,
            CachedInputTokenCount = usage.TryGetProperty("prompt_tokens_details", out JsonElement details) ? Number(details, "cached_tokens") : null,
            ReasoningTokenCount = usage.TryGetProperty("completion_tokens_details", out details) ? Number(details, "reasoning_tokens") : null,
        };
    }

    private static string? Text(JsonElement json, string name) => json.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static long? Number(JsonElement json, string name) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number) ? number : null;

    private sealed class CallParts
    {
        public string Id { get; set; } = "";

        public StringBuilder Name { get; } = new();

        public StringBuilder Arguments { get; } = new();
    }
}
