using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hadal.Server.Http;

namespace Hadal.Server.Responses;

/// <summary>
/// <c>input</c> as messages of a chat: what the model's template reads is the same for both APIs. What an assistant thought, said and called is one
/// message there and several items here.
/// </summary>
internal sealed class ResponseInput
{
    private const int MaxItems = 65_536;

    private readonly JsonArray _messages;
    private JsonObject? _assistant;

    /// <param name="messages">What went before; added to.</param>
    public ResponseInput(JsonArray messages) => _messages = messages;

    public void Add(JsonFields body)
    {
        if (!body.TryGet("input", out var input))
            throw ApiException.Invalid("input", "'input' is missing.", "missing_required_parameter");
        if (input.ValueKind == JsonValueKind.String)
        {
            AddMessage("user", input.GetString()!);
            return;
        }

        if (input.ValueKind != JsonValueKind.Array)
            throw JsonFields.WrongType("input", input, "a string or an array of items");
        int count = input.GetArrayLength();
        if (count is 0 or > MaxItems)
            throw ApiException.Invalid("input", $"'input' has {count} items; 1 to {MaxItems} are expected.", "invalid_value");
        int index = 0;
        foreach (var item in input.EnumerateArray())
        {
            string path = $"input[{index++}]";
            if (item.ValueKind != JsonValueKind.Object)
                throw JsonFields.WrongType(path, item, "an object");
            AddItem(new JsonFields(item, path + "."), path);
        }
    }

    /// <summary>What an answer was, for the one that goes on from it.</summary>
    public void AddOutput(ResponseOutput output)
    {
        foreach (var item in output.Items)
        {
            switch (item.Kind)
            {
                case ResponseItemKind.Reasoning:
                    Assistant()["reasoning_content"] = item.Text.ToString();
                    break;
                case ResponseItemKind.Message:
                    Assistant()["content"] = item.Text.ToString();
                    break;
                case ResponseItemKind.FunctionCall:
                    AddCall(item.CallId!, item.Name!, item.Text.ToString());
                    break;
            }
        }
    }

    private void AddItem(JsonFields item, string path)
    {
        string type = item.String("type") ?? "message";
        switch (type)
        {
            case "message":
                string role = item.RequiredString("role");
                AddMessage(role, Text(item, "content"));
                break;
            case "function_call":
                AddCall(item.RequiredString("call_id"), item.RequiredString("name"), item.RequiredString("arguments"));
                break;
            case "function_call_output":
                _assistant = null;
                _messages.Add((JsonNode)new JsonObject { ["role"] = "tool", ["tool_call_id"] = item.RequiredString("call_id"), ["content"] = Text(item, "output") });
                break;
            case "reasoning":
                if (item.TryGet("encrypted_content", JsonValueKind.String, out _))
                    throw ApiException.NotSupported(path + ".encrypted_content", $"'{path}.encrypted_content' is not supported: nothing here encrypts its thinking.");
                if (item.TryGet("content", JsonValueKind.Array, out _))
                    Assistant()["reasoning_content"] = Text(item, "content");
                break;
            default:
                throw ApiException.NotSupported(path + ".type", $"'{path}.type' is '{ApiException.Shorten(type)}'; message, function_call, function_call_output and reasoning are read here.");
        }
    }

    private void AddMessage(string role, string text)
    {
        // An assistant's turn goes on with its calls; any other message ends it, and so does a second text.
        if (role == "assistant" && (_assistant is null || _assistant["content"] is null))
        {
            Assistant()["content"] = text;
            return;
        }

        _assistant = null;
        if (role == "assistant")
            Assistant()["content"] = text;
        else
            _messages.Add((JsonNode)new JsonObject { ["role"] = role, ["content"] = text });
    }

    private void AddCall(string id, string name, string arguments)
    {
        var assistant = Assistant();
        if (assistant["tool_calls"] is not JsonArray calls)
            assistant["tool_calls"] = calls = [];
        calls.Add((JsonNode)new JsonObject { ["id"] = id, ["type"] = "function", ["function"] = new JsonObject { ["name"] = name, ["arguments"] = arguments } });
    }

    private JsonObject Assistant()
    {
        if (_assistant is null)
            _messages.Add((JsonNode)(_assistant = new JsonObject { ["role"] = "assistant" }));
        return _assistant;
    }

    private static string Text(JsonFields item, string name)
    {
        string path = item.Path(name);
        if (!item.TryGet(name, out var value))
            throw ApiException.Invalid(path, $"'{path}' is missing.", "missing_required_parameter");
        if (value.ValueKind == JsonValueKind.String)
            return value.GetString()!;
        if (value.ValueKind != JsonValueKind.Array)
            throw JsonFields.WrongType(path, value, "a string or an array of parts");
        var text = new StringBuilder();
        int index = 0;
        foreach (var part in value.EnumerateArray())
        {
            string partPath = $"{path}[{index++}]";
            if (part.ValueKind != JsonValueKind.Object)
                throw JsonFields.WrongType(partPath, part, "an object");
            var fields = new JsonFields(part, partPath + ".");
            string type = fields.RequiredString("type");
            if (type is not ("input_text" or "output_text" or "text" or "reasoning_text"))
                throw ApiException.NotSupported(partPath + ".type", $"'{partPath}.type' is '{ApiException.Shorten(type)}'; this model reads only text parts.");
            text.Append(fields.RequiredString("text"));
        }

        return text.ToString();
    }
}
