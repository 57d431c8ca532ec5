using System.Text.Json;
using System.Text.Json.Nodes;
using Hadal.Extensions.AI.Chat;
using Microsoft.Extensions.AI;

namespace Hadal.Extensions.AI.Http;

/// <summary>The body of a request to /v1/chat/completions.</summary>
internal static class ChatBody
{
    private static readonly string[] s_own = ["model", "messages", "stream", "stream_options", "n"];

    public static JsonObject Write(IEnumerable<ChatMessage> messages, ChatOptions? options, string modelId, bool stream, IChatClient client)
    {
        JsonObject body = options?.RawRepresentationFactory?.Invoke(client) switch
        {
            null => [],
            JsonObject raw => (JsonObject)raw.DeepClone(),
            var other => throw new NotSupportedException($"ChatOptions.RawRepresentationFactory gave {other.GetType().FullName}; a {typeof(JsonObject).FullName}, the request's body, is what is understood here."),
        };
        body["model"] = options?.ModelId ?? modelId;
        body["messages"] = MessageJson.Write(messages, options?.Instructions);
        if (stream)
        {
            body["stream"] = true;
            body["stream_options"] = new JsonObject { ["include_usage"] = true };
        }

        if (options is null)
            return body;
        Set("temperature", options.Temperature);
        Set("top_p", options.TopP);
        Set("top_k", options.TopK);
        Set("max_tokens", options.MaxOutputTokens);
        Set("frequency_penalty", options.FrequencyPenalty);
        Set("presence_penalty", options.PresencePenalty);
        Set("seed", options.Seed);
        Set("parallel_tool_calls", options.Tools is { Count: > 0 } ? options.AllowMultipleToolCalls : null);
        if (options.StopSequences is { Count: > 0 } stop)
            body["stop"] = new JsonArray([.. stop.Select(text => (JsonNode)text)]);
        if (options.Reasoning?.Effort is { } effort)
            body["reasoning_effort"] = Effort(effort);
        if (options.ResponseFormat is { } format)
            body["response_format"] = Format(format);
        WriteTools(body, options);
        foreach (var (name, value) in options.AdditionalProperties ?? [])
        {
            if (s_own.Contains(name, StringComparer.Ordinal))
                throw new ArgumentException($"ChatOptions.AdditionalProperties cannot set '{name}', which this client sets itself.", nameof(options));
            body[name] = value is null ? null : JsonSerializer.SerializeToNode(value, PlainJson.Type(value.GetType()));
        }

        return body;

        void Set<T>(string name, T? value)
            where T : struct
        {
            if (value is { } given)
                body[name] = JsonSerializer.SerializeToNode(given, PlainJson.Type(typeof(T)));
        }
    }

    private static string Effort(ReasoningEffort effort) => effort switch
    {
        ReasoningEffort.None => "none",
        ReasoningEffort.Low => "low",
        ReasoningEffort.Medium => "medium",
        ReasoningEffort.High => "high",
        ReasoningEffort.ExtraHigh => "xhigh",
        _ => throw new NotSupportedException($"ChatOptions.Reasoning.Effort {effort} is unknown here."),
    };

    private static JsonObject Format(ChatResponseFormat format) => format switch
    {
        ChatResponseFormatJson { Schema: { } schema } json => new JsonObject
        {
            ["type"] = "json_schema",
            ["json_schema"] = new JsonObject
            {
                ["name"] = json.SchemaName ?? "response",
                ["description"] = json.SchemaDescription,
                ["schema"] = JsonSerializer.SerializeToNode(schema, PlainJson.Type(typeof(JsonElement))),
                ["strict"] = true,
            },
        },
        ChatResponseFormatJson => new JsonObject { ["type"] = "json_object" },
        ChatResponseFormatText => new JsonObject { ["type"] = "text" },
        _ => throw new NotSupportedException($"ChatOptions.ResponseFormat {format.GetType().Name} is unknown here."),
    };

    private static void WriteTools(JsonObject body, ChatOptions options)
    {
        if (ToolJson.Write(options) is not { } tools)
            return;
        body["tools"] = tools;
        body["tool_choice"] = options.ToolMode switch
        {
            null or AutoChatToolMode => "auto",
            NoneChatToolMode => "none",
            RequiredChatToolMode { RequiredFunctionName: { } name } => new JsonObject { ["type"] = "function", ["function"] = new JsonObject { ["name"] = name } },
            RequiredChatToolMode => "required",
            var mode => throw new NotSupportedException($"ChatOptions.ToolMode {mode.GetType().Name} is unknown here."),
        };
    }
}
