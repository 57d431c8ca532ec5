using System.Text.Json;
using System.Text.Json.Nodes;
using Hadal.Formats.Chat;
using Hadal.Formats.Chat.Tools;
using Hadal.Numerics;
using Hadal.Server.Http;

namespace Hadal.Server.Requests;

/// <summary>Messages and template options to prompt text: shared by chat completions and /tokenize.</summary>
internal static class ConversationReader
{
    private const int MaxMessages = 65_536;

    // The template's own variables; a client that could replace them would render something else than it asked for.
    private static readonly string[] s_reservedKwargs = ["messages", "tools", "add_generation_prompt"];

    public static Conversation Read(JsonFields body, ServedModel model)
    {
        if (model.ChatTemplate is not { } template)
            throw ApiException.Invalid("messages", $"The model '{model.Id}' has no chat template; send a prompt to /v1/completions.", "no_chat_template");
        if (!body.TryGet("messages", JsonValueKind.Array, out var array))
            throw ApiException.Invalid("messages", "'messages' is missing.", "missing_required_parameter");
        int count = array.GetArrayLength();
        if (count is 0 or > MaxMessages)
            throw ApiException.Invalid("messages", $"'messages' has {count} entries; 1 to {MaxMessages} are expected.", "invalid_value");
        ToolSettings? tools = ToolReader.Read(body, model);
        RefuseModalities(body);

        var messages = new JsonArray();
        int index = 0;
        foreach (var item in array.EnumerateArray())
            messages.Add((JsonNode)Message(item, $"messages[{index++}]"));

        JsonObject? extra = null;
        if (body.TryGet("chat_template_kwargs", JsonValueKind.Object, out var kwargs))
        {
            foreach (string name in s_reservedKwargs)
            {
                if (kwargs.TryGetProperty(name, out _))
                    throw ApiException.Invalid("chat_template_kwargs", $"'chat_template_kwargs' can't set '{name}'; the request has a field of its own for it.", "invalid_value");
            }

            extra = JsonObject.Create(kwargs);
        }

        bool continueFinal = body.Bool("continue_final_message") ?? false;
        bool addGenerationPrompt = body.Bool("add_generation_prompt") ?? !continueFinal;
        if (continueFinal && addGenerationPrompt)
            throw ApiException.Invalid("continue_final_message", "'continue_final_message' and 'add_generation_prompt' exclude each other.", "invalid_value");

        if (ReasoningReader.Thinks(body) is { } thinks)
        {
            // DeepSeek-V3.1's name for it, and Qwen3's. What the request says in so many words goes before.
            extra ??= [];
            foreach (string name in (ReadOnlySpan<string>)["thinking", "enable_thinking"])
            {
                if (!extra.ContainsKey(name))
                    extra[name] = JsonValue.Create(thinks);
            }
        }

        ToolPrompt.AdaptCalls(messages, template);
        bool takesTools = ToolPrompt.TakesTools(template);
        if (tools is not null && !takesTools)
            ToolPrompt.AddToSystem(messages, tools.Tools, tools.Format);
        string prompt = Render(template, messages, addGenerationPrompt, takesTools ? tools?.Tools : null, extra);
        return continueFinal ? ContinueFinal(prompt, messages, tools) : new Conversation(prompt, Continued: null, tools);
    }

    private static string Render(IChatTemplate template, JsonArray messages, bool addGenerationPrompt, JsonArray? tools, JsonObject? extra)
    {
        try
        {
            return template.Render(messages, addGenerationPrompt, tools, extra);
        }
        catch (HadalException exception)
        {
            // Templates refuse conversations (roles that don't alternate, …): that is for the client to mend.
            throw ApiException.Invalid("messages", $"The model's chat template refuses this conversation: {exception.Message}", "chat_template_error");
        }
    }

    private static void RefuseModalities(JsonFields body)
    {
        if (body.TryGet("modalities", JsonValueKind.Array, out var modalities))
        {
            foreach (var item in modalities.EnumerateArray())
            {
                if (item.ValueKind != JsonValueKind.String || !item.ValueEquals("text"u8))
                    throw ApiException.NotSupported("modalities", "'modalities' can only be [\"text\"].");
            }
        }
    }

    private static JsonObject Message(JsonElement item, string path)
    {
        if (item.ValueKind != JsonValueKind.Object)
            throw JsonFields.WrongType(path, item, "an object");
        var fields = new JsonFields(item, path + ".");
        string role = fields.RequiredString("role") switch
        {
            "developer" => "system",
            "system" or "user" or "assistant" or "tool" => fields.String("role")!,
            var other => throw ApiException.Invalid(path + ".role", $"'{path}.role' is '{ApiException.Shorten(other)}'; system, developer, user, assistant or tool is expected.", "invalid_value"),
        };

        CheckCalls(fields, role);
        string? content = Content(fields, role);
        var message = new JsonObject();
        foreach (var property in item.EnumerateObject())
        {
            if (property.Name is not ("role" or "content"))
                message.Add(property.Name, ToNode(property.Value));
        }

        // JsonValue.Create<string> is free of reflection; only the generic overload for unknown types is not.
        message["role"] = JsonValue.Create(role);
        message["content"] = content is null ? null : JsonValue.Create(content);
        return message;
    }

    /// <summary>Calls of an assistant's message: templates take them apart without looking.</summary>
    private static void CheckCalls(JsonFields fields, string role)
    {
        if (role != "assistant" || !fields.TryGet("tool_calls", JsonValueKind.Array, out var calls))
            return;
        int index = 0;
        foreach (var call in calls.EnumerateArray())
        {
            string path = fields.Path($"tool_calls[{index++}]");
            if (call.ValueKind != JsonValueKind.Object)
                throw JsonFields.WrongType(path, call, "an object");
            if (!new JsonFields(call, path + ".").TryGet("function", JsonValueKind.Object, out var element))
                throw ApiException.Invalid(path + ".function", $"'{path}.function' is missing.", "missing_required_parameter");
            var function = new JsonFields(element, path + ".function.");
            function.RequiredString("name");
            function.RequiredString("arguments");
        }
    }

    private static string? Content(JsonFields fields, string role)
    {
        string path = fields.Path("content");
        if (!fields.TryGet("content", out var value))
        {
            // An assistant that only called tools said nothing.
            if (role == "assistant" && fields.TryGet("tool_calls", JsonValueKind.Array, out _))
                return null;
            throw ApiException.Invalid(path, $"'{path}' is missing.", "missing_required_parameter");
        }

        if (value.ValueKind == JsonValueKind.String)
            return value.GetString();
        if (value.ValueKind != JsonValueKind.Array)
            throw JsonFields.WrongType(path, value, "a string or an array of parts");

        var text = new System.Text.StringBuilder();
        int index = 0;
        foreach (var part in value.EnumerateArray())
        {
            string partPath = $"{path}[{index++}]";
            if (part.ValueKind != JsonValueKind.Object)
                throw JsonFields.WrongType(partPath, part, "an object");
            var partFields = new JsonFields(part, partPath + ".");
            string type = partFields.RequiredString("type");
            if (type != "text")
                throw ApiException.NotSupported(partPath + ".type", $"'{partPath}.type' is '{ApiException.Shorten(type)}'; this model reads only 'text' parts.");
            text.Append(partFields.RequiredString("text"));
        }

        return text.ToString();
    }

    private static Conversation ContinueFinal(string prompt, JsonArray messages, ToolSettings? tools)
    {
        var last = messages[^1]!;
        string? content = last["content"]?.GetValue<string>();
        if (last["role"]!.GetValue<string>() != "assistant" || string.IsNullOrWhiteSpace(content))
            throw ApiException.Invalid("continue_final_message", "'continue_final_message' needs an assistant's message with content at the end of 'messages'.", "invalid_value");

        // The template closes the turn after the content: cut there. Templates may trim the content, or drop what was thought.
        string tail = content.Trim();
        int at = prompt.LastIndexOf(tail, StringComparison.Ordinal);
        if (at < 0)
            throw ApiException.Invalid("continue_final_message", "The model's chat template changes the final message, so it can't be continued.", "invalid_value");
        return new Conversation(prompt[..(at + tail.Length)], tail, tools);
    }

    private static JsonNode? ToNode(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => JsonObject.Create(value),
        JsonValueKind.Array => JsonArray.Create(value),
        JsonValueKind.Null => null,
        _ => JsonValue.Create(value),
    };
}
