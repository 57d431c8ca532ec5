using System.Buffers;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hadal.Server.Http;

namespace Hadal.Server.Requests;

/// <summary><c>tools</c>, <c>tool_choice</c> and <c>parallel_tool_calls</c>.</summary>
internal static class ToolReader
{
    private const int MaxTools = 128;
    private const int MaxNameChars = 64;

    private static readonly SearchValues<char> s_nameChars = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");

    /// <returns>Null where the model is to know of no tools: there are none, or <c>tool_choice</c> is none.</returns>
    public static ToolSettings? Read(JsonFields body, ServedModel model)
    {
        var tools = new JsonArray();
        var functions = new List<(string Name, JsonNode? Parameters)>();
        if (body.TryGet("tools", JsonValueKind.Array, out JsonElement array))
        {
            if (array.GetArrayLength() > MaxTools)
                throw ApiException.Invalid("tools", $"'tools' has {array.GetArrayLength()} entries; at most {MaxTools} are taken.", "invalid_value");
            int index = 0;
            foreach (JsonElement tool in array.EnumerateArray())
            {
                (string Name, JsonNode? Parameters) function = Function(tool, $"tools[{index}]");
                if (functions.Exists(f => f.Name == function.Name))
                    throw ApiException.Invalid($"tools[{index}].function.name", $"'tools' has two functions named '{function.Name}'.", "invalid_value");
                functions.Add(function);
                tools.Add((JsonNode?)JsonObject.Create(tool));
                index++;
            }
        }

        bool allowsSeveral = body.Bool("parallel_tool_calls") ?? true;
        (string mode, string? named) = Choice(body);
        if (functions.Count == 0)
            return mode is "auto" or "none" ? null : throw ApiException.Invalid("tool_choice", "'tool_choice' asks for a call, but 'tools' has none.", "invalid_value");
        if (named is not null && !functions.Exists(f => f.Name == named))
            throw ApiException.Invalid("tool_choice", $"'tool_choice' names the function '{ApiException.Shorten(named)}', which is not among 'tools'.", "invalid_value");
        if (mode == "none")
            return null;
        if (model.ToolCallFormat is not { } format)
            throw ApiException.NotSupported("tools", $"Neither the chat template nor the vocabulary of '{model.Id}' shows how it calls tools. Leave 'tools' out, or start the server with --tool-call-parser if you know how.");
        return new ToolSettings(tools, functions, format, mode == "required", named, allowsSeveral);
    }

    /// <summary>Names of functions and schemas, as OpenAI has them.</summary>
    public static void CheckName(string name, string path)
    {
        if (name.Length is 0 or > MaxNameChars || name.AsSpan().ContainsAnyExcept(s_nameChars))
            throw ApiException.Invalid(path, $"'{path}' is '{ApiException.Shorten(name)}'; 1 to {MaxNameChars} letters, digits, underscores, dots and hyphens are expected.", "invalid_value");
    }

    private static (string Name, JsonNode? Parameters) Function(JsonElement tool, string path)
    {
        if (tool.ValueKind != JsonValueKind.Object)
            throw JsonFields.WrongType(path, tool, "an object");
        var fields = new JsonFields(tool, path + ".");
        string type = fields.RequiredString("type");
        if (type != "function")
            throw ApiException.NotSupported(fields.Path("type"), $"'{fields.Path("type")}' is '{ApiException.Shorten(type)}'; only 'function' is supported.");
        if (!fields.TryGet("function", JsonValueKind.Object, out JsonElement element))
            throw ApiException.Invalid(fields.Path("function"), $"'{fields.Path("function")}' is missing.", "missing_required_parameter");
        var function = new JsonFields(element, fields.Path("function."));
        string name = function.RequiredString("name");
        CheckName(name, function.Path("name"));
        function.String("description");
        function.Bool("strict");
        return (name, function.TryGet("parameters", JsonValueKind.Object, out JsonElement parameters) ? JsonObject.Create(parameters) : null);
    }

    private static (string Mode, string? Named) Choice(JsonFields body)
    {
        if (!body.TryGet("tool_choice", out JsonElement choice))
            return ("auto", null);
        if (choice.ValueKind == JsonValueKind.String)
        {
            string mode = choice.GetString()!;
            return mode is "auto" or "none" or "required" ? (mode, null) : throw ApiException.Invalid("tool_choice", $"'tool_choice' is '{ApiException.Shorten(mode)}'; auto, none, required or an object that names a function is expected.", "invalid_value");
        }

        if (choice.ValueKind != JsonValueKind.Object)
            throw JsonFields.WrongType("tool_choice", choice, "a string or an object");
        var fields = new JsonFields(choice, "tool_choice.");
        string type = fields.RequiredString("type");
        if (type != "function")
            throw ApiException.NotSupported("tool_choice.type", $"'tool_choice.type' is '{ApiException.Shorten(type)}'; only 'function' is supported.");
        if (!fields.TryGet("function", JsonValueKind.Object, out JsonElement function))
            throw ApiException.Invalid("tool_choice.function", "'tool_choice.function' is missing.", "missing_required_parameter");
        return ("required", new JsonFields(function, "tool_choice.function.").RequiredString("name"));
    }
}
