using System.Text.Json;
using System.Text.Json.Nodes;
using Hadal.Server.Http;
using Hadal.Server.Requests;

namespace Hadal.Server.Responses;

/// <summary>
/// A request to /v1/responses. Its fields are those of a chat under other names, so it is made one: sampling, tools and formats are read in one place for both.
/// </summary>
internal sealed class ResponsesRequest
{
    private const int MaxMetadata = 16;

    // Each asks for something that is not done here; to ignore it would be to answer another question than was asked.
    private static readonly (string Name, string Why)[] s_refused =
    [
        ("conversation", "conversations are not kept; send previous_response_id or all items"),
        ("prompt", "prompt templates are not kept"),
        ("context_management", "a conversation is never shortened here"),
    ];

    // The names that a client of this API knows, for errors of the chat that is made of its request.
    private static readonly Dictionary<string, string> s_names = new(StringComparer.Ordinal)
    {
        ["messages"] = "input",
        ["max_tokens"] = "max_output_tokens",
        ["max_completion_tokens"] = "max_output_tokens",
        ["response_format"] = "text.format",
        ["reasoning_effort"] = "reasoning.effort",
    };

    private ResponsesRequest()
    {
    }

    public required ChatRequest Chat { get; init; }

    /// <summary>All messages but the instructions, for the response that goes on from this one.</summary>
    public required JsonArray Messages { get; init; }

    public required bool Stream { get; init; }

    public required bool Store { get; init; }

    /// <summary>The request's own fields, given back in the response.</summary>
    public required JsonElement Echo { get; init; }

    public string? PreviousResponseId { get; private init; }

    /// <exception cref="ApiException">A field is wrong, or asks for what is not done here.</exception>
    public static ResponsesRequest Read(JsonFields body, ServedModel model, HadalServerOptions options, ResponseStore store, string owner)
    {
        Refuse(body);
        string? previousId = body.String("previous_response_id");
        JsonArray messages = previousId is null ? [] : store.Find(previousId, owner)?.CopyMessages() ?? throw ApiException.Invalid(
            "previous_response_id",
            $"There is no response '{ApiException.Shorten(previousId)}' here (any more): responses are kept in memory, {options.MaxStoredResponses} at the most, and only with 'store'. Send all items in 'input' instead.",
            "previous_response_not_found");
        new ResponseInput(messages).Add(body);
        try
        {
            // By way of text: the reader of chats reads documents.
            using JsonDocument chat = JsonDocument.Parse(ToChat(body, messages).ToJsonString());
            return new ResponsesRequest
            {
                Chat = ChatRequest.Read(new JsonFields(chat.RootElement), model, options),
                Messages = messages,
                Stream = body.Bool("stream") ?? false,
                Store = body.Bool("store") ?? true,
                Echo = body.Element.Clone(),
                PreviousResponseId = previousId,
            };
        }
        catch (ApiException exception) when (exception.Param is { } param && Renamed(param) is { } name)
        {
            throw new ApiException(exception.Status, exception.Type, exception.Message.Replace($"'{param}'", $"'{name}'", StringComparison.Ordinal), name, exception.Code);
        }
    }

    private static string? Renamed(string param)
    {
        string head = param.Split('.', '[')[0];
        if (s_names.TryGetValue(head, out string? name))
            return head == "messages" ? name : (name + param[head.Length..]).Replace("format.json_schema", "format", StringComparison.Ordinal);
        return param.Contains(".function", StringComparison.Ordinal) ? param.Replace(".function", "", StringComparison.Ordinal) : null;
    }

    private static void Refuse(JsonFields body)
    {
        foreach (var (name, why) in s_refused)
        {
            if (body.TryGet(name, out _))
                throw ApiException.NotSupported(name, $"'{name}' is not supported: {why}.");
        }

        if (body.Bool("background") == true)
            throw ApiException.NotSupported("background", "'background' is not supported: answers are made while they are waited for.");
        if (body.String("truncation") is { } truncation and not "disabled")
            throw ApiException.NotSupported("truncation", $"'truncation' is '{ApiException.Shorten(truncation)}'; only 'disabled' is supported: nothing is left out of a conversation without a word.");
        if (body.Int("top_logprobs", 0, 20) > 0)
            throw ApiException.NotSupported("top_logprobs", "'top_logprobs' is not supported by /v1/responses; /v1/chat/completions has it.");
        if (body.TryGet("include", JsonValueKind.Array, out var include) && include.GetArrayLength() > 0)
            throw ApiException.NotSupported("include", "'include' can only be empty: nothing that it names is made here.");
        if (body.TryGet("metadata", JsonValueKind.Object, out var metadata))
        {
            if (metadata.GetPropertyCount() > MaxMetadata)
                throw ApiException.Invalid("metadata", $"'metadata' has {metadata.GetPropertyCount()} entries; at most {MaxMetadata} are taken.", "invalid_value");
            foreach (var entry in metadata.EnumerateObject())
            {
                if (entry.Value.ValueKind != JsonValueKind.String)
                    throw JsonFields.WrongType($"metadata.{ApiException.Shorten(entry.Name)}", entry.Value, "a string");
            }
        }
    }

    private static JsonObject ToChat(JsonFields body, JsonArray messages)
    {
        var all = new JsonArray();
        if (body.String("instructions") is { Length: > 0 } instructions)
            all.Add((JsonNode)new JsonObject { ["role"] = "system", ["content"] = instructions });
        foreach (var message in messages)
            all.Add(message!.DeepClone());
        var chat = new JsonObject { ["messages"] = all };
        foreach (var field in body.Element.EnumerateObject())
        {
            switch (field.Name)
            {
                // What chats call otherwise, or what is of this API alone.
                case "input" or "instructions" or "text" or "reasoning" or "tools" or "tool_choice" or "max_output_tokens" or "stream" or "stream_options" or "store" or "metadata" or "messages" or "n"
                    or "previous_response_id" or "include" or "background" or "truncation" or "top_logprobs" or "logprobs" or "max_tool_calls":
                    break;
                default:
                    chat[field.Name] = ToNode(field.Value);
                    break;
            }
        }

        if (body.Int("max_output_tokens", 1, int.MaxValue) is { } most)
            chat["max_tokens"] = most;
        if (body.TryGet("reasoning", JsonValueKind.Object, out var reasoning) && new JsonFields(reasoning, "reasoning.").String("effort") is { } effort)
            chat["reasoning_effort"] = effort;
        if (body.TryGet("text", JsonValueKind.Object, out var text) && new JsonFields(text, "text.").TryGet("format", JsonValueKind.Object, out var format))
            chat["response_format"] = Format(format);
        if (body.TryGet("tools", JsonValueKind.Array, out var tools))
            chat["tools"] = Tools(tools);
        if (body.TryGet("tool_choice", out var choice))
            chat["tool_choice"] = Choice(choice);
        return chat;
    }

    /// <summary>A schema's fields lie beside its type here, and within json_schema there.</summary>
    private static JsonObject Format(JsonElement format)
    {
        var fields = new JsonFields(format, "text.format.");
        string type = fields.RequiredString("type");
        if (type != "json_schema")
            return new JsonObject { ["type"] = type };
        var schema = new JsonObject();
        foreach (var field in format.EnumerateObject())
        {
            if (field.Name != "type")
                schema[field.Name] = ToNode(field.Value);
        }

        return new JsonObject { ["type"] = type, ["json_schema"] = schema };
    }

    private static JsonArray Tools(JsonElement tools)
    {
        var array = new JsonArray();
        int index = 0;
        foreach (var tool in tools.EnumerateArray())
        {
            string path = $"tools[{index++}]";
            if (tool.ValueKind != JsonValueKind.Object)
                throw JsonFields.WrongType(path, tool, "an object");
            string type = new JsonFields(tool, path + ".").RequiredString("type");
            if (type != "function")
                throw ApiException.NotSupported(path + ".type", $"'{path}.type' is '{ApiException.Shorten(type)}'; only functions can be called here.");
            var function = new JsonObject();
            foreach (var field in tool.EnumerateObject())
            {
                if (field.Name != "type")
                    function[field.Name] = ToNode(field.Value);
            }

            array.Add((JsonNode)new JsonObject { ["type"] = "function", ["function"] = function });
        }

        return array;
    }

    private static JsonNode? Choice(JsonElement choice)
    {
        if (choice.ValueKind != JsonValueKind.Object)
            return ToNode(choice);
        var fields = new JsonFields(choice, "tool_choice.");
        string type = fields.RequiredString("type");
        return type == "function"
            ? new JsonObject { ["type"] = "function", ["function"] = new JsonObject { ["name"] = fields.RequiredString("name") } }
            : throw ApiException.NotSupported("tool_choice.type", $"'tool_choice.type' is '{ApiException.Shorten(type)}'; only 'function' is supported.");
    }

    private static JsonNode? ToNode(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => JsonObject.Create(value.Clone()),
        JsonValueKind.Array => JsonArray.Create(value.Clone()),
        JsonValueKind.Null => null,
        _ => JsonValue.Create(value.Clone()),
    };
}
