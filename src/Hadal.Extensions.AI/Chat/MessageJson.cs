using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;

namespace Hadal.Extensions.AI.Chat;

/// <summary>Messages as the OpenAI API writes them, which is also what chat templates read.</summary>
internal static class MessageJson
{
    /// <param name="messages">At least one.</param>
    /// <param name="instructions">Goes before them as a system message.</param>
    /// <exception cref="NotSupportedException">A message has something in it that is no text, thinking, call or result.</exception>
    /// <exception cref="ArgumentException">There is none, or a role is unknown.</exception>
    public static JsonArray Write(IEnumerable<ChatMessage> messages, string? instructions)
    {
        ArgumentNullException.ThrowIfNull(messages);
        var array = new JsonArray();
        if (!string.IsNullOrEmpty(instructions))
            array.Add((JsonNode)new JsonObject { ["role"] = "system", ["content"] = instructions });
        int count = 0;
        foreach (var message in messages)
        {
            count++;
            Add(array, message);
        }

        return count > 0 ? array : throw new ArgumentException("There is no message to answer.", nameof(messages));
    }

    /// <summary>A call's arguments as the text that a model writes.</summary>
    public static string Arguments(IDictionary<string, object?>? arguments) =>
        arguments is null ? "{}" : JsonSerializer.Serialize(arguments, PlainJson.Type(typeof(IDictionary<string, object?>)));

    private static void Add(JsonArray array, ChatMessage message)
    {
        var text = new StringBuilder();
        var reasoning = new StringBuilder();
        var calls = new JsonArray();
        bool hasResult = false;
        foreach (var content in message.Contents)
        {
            switch (content)
            {
                // Before TextContent: neither is the other's base, but a model's thinking must not be taken for what it said.
                case TextReasoningContent thought:
                    reasoning.Append(thought.Text);
                    break;
                case TextContent part:
                    text.Append(part.Text);
                    break;
                case FunctionCallContent call:
                    calls.Add((JsonNode)new JsonObject
                    {
                        ["id"] = call.CallId,
                        ["type"] = "function",
                        ["function"] = new JsonObject { ["name"] = call.Name, ["arguments"] = Arguments(call.Arguments) },
                    });
                    break;
                case FunctionResultContent result:
                    hasResult = true;
                    array.Add((JsonNode)new JsonObject { ["role"] = "tool", ["tool_call_id"] = result.CallId, ["content"] = Result(result) });
                    break;
                case UsageContent:
                    break;
                default:
                    throw new NotSupportedException($"A message of role {message.Role} has {content.GetType().Name} in it; text, thinking, function calls and their results are what models here read.");
            }
        }

        // A tool's message is only the results it carries.
        if (hasResult && text.Length == 0 && calls.Count == 0)
            return;

        string role = Role(message.Role);
        var json = new JsonObject { ["role"] = role, ["content"] = text.Length == 0 && calls.Count > 0 ? null : text.ToString() };
        if (message.AuthorName is { } name)
            json["name"] = name;
        if (reasoning.Length > 0)
            json["reasoning_content"] = reasoning.ToString();
        if (calls.Count > 0)
            json["tool_calls"] = calls;
        array.Add((JsonNode)json);
    }

    private static string Role(ChatRole role)
    {
        if (role == ChatRole.System || role == new ChatRole("developer"))
            return "system";
        return role == ChatRole.User || role == ChatRole.Assistant || role == ChatRole.Tool
            ? role.Value
            : throw new ArgumentException($"A message has the role '{role}'; system, developer, user, assistant or tool is expected.", nameof(role));
    }

    private static string Result(FunctionResultContent content) => content switch
    {
        { Exception: { } exception, Result: null } => "Error: " + exception.Message,
        { Result: null } => "",
        { Result: string text } => text,
        { Result: JsonElement { ValueKind: JsonValueKind.String } element } => element.GetString()!,
        _ => JsonSerializer.Serialize(content.Result, PlainJson.Type(content.Result!.GetType())),
    };
}
