using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Hadal.Formats.Chat.Tools;

/// <summary>Brings tools and calls into the shape that a model's template takes.</summary>
public static partial class ToolPrompt
{
    /// <summary>Whether the template writes tools into the prompt. DeepSeek's do not: they write calls and results only.</summary>
    public static bool TakesTools(IChatTemplate template)
    {
        ArgumentNullException.ThrowIfNull(template);
        return ToolsVariable().IsMatch(template.Source);
    }

    /// <summary>
    /// Describes the tools at the end of the system message, in the words of DeepSeek-V3.1's model card and of Hermes and Llama, for a template that leaves them out.
    /// </summary>
    public static void AddToSystem(JsonArray messages, JsonArray tools, ToolCallFormat format)
    {
        ArgumentNullException.ThrowIfNull(messages);
        ArgumentNullException.ThrowIfNull(tools);
        ArgumentNullException.ThrowIfNull(format);
        string text = Describe(tools, format);
        if (messages is [JsonObject first, ..] && first["role"]?.GetValue<string>() == "system")
            first["content"] = JsonValue.Create($"{first["content"]?.GetValue<string>()}\n\n{text}".TrimStart('\n'));
        else
            messages.Insert(0, new JsonObject { ["role"] = JsonValue.Create("system"), ["content"] = JsonValue.Create(text) });
    }

    /// <summary>
    /// Calls of assistants' messages as the template reads them: some write arguments as they stand, some through <c>tojson</c>, which needs them parsed;
    /// some look for content that is none, some fail on it.
    /// </summary>
    public static void AdaptCalls(JsonArray messages, IChatTemplate template)
    {
        ArgumentNullException.ThrowIfNull(messages);
        ArgumentNullException.ThrowIfNull(template);
        bool parses = ParsedArguments().IsMatch(template.Source) && !template.Source.Contains("is string", StringComparison.Ordinal);
        bool wantsNone = template.Source.Contains("['content'] is none", StringComparison.Ordinal) || template.Source.Contains(".content is none", StringComparison.Ordinal);
        foreach (JsonNode? node in messages)
        {
            if (node is not JsonObject message || message["tool_calls"] is not JsonArray { Count: > 0 } calls)
                continue;
            if (message["content"] is null or JsonValue && string.IsNullOrEmpty(message["content"]?.GetValue<string>()))
                message["content"] = wantsNone ? null : JsonValue.Create("");
            if (!parses)
                continue;
            foreach (JsonNode? call in calls)
            {
                if (call?["function"] is JsonObject function && function["arguments"] is JsonValue text && text.TryGetValue(out string? arguments))
                    function["arguments"] = Parse(arguments);
            }
        }
    }

    /// <summary>The arguments as an object; as they are where they are none.</summary>
    private static JsonNode? Parse(string arguments)
    {
        try
        {
            return string.IsNullOrWhiteSpace(arguments) ? new JsonObject() : JsonNode.Parse(arguments);
        }
        catch (JsonException)
        {
            return JsonValue.Create(arguments);
        }
    }

    private static string Describe(JsonArray tools, ToolCallFormat format)
    {
        var text = new StringBuilder();
        if (format == ToolCallFormat.DeepSeekV3 || format == ToolCallFormat.DeepSeekV31)
        {
            text.Append("## Tools\nYou have access to the following tools:\n");
            foreach (JsonNode? tool in tools)
            {
                JsonNode? function = tool?["function"];
                text.Append($"\n### {function?["name"]}\nDescription: {function?["description"]}\n\nParameters: {Compact(function?["parameters"])}\n");
            }

            text.Append("\nIMPORTANT: ALWAYS adhere to this exact format for tool use:\n")
                .Append(format.Begin).Append(format.BeforeName).Append("tool_call_name").Append(format.AfterName).Append("tool_call_arguments").Append(format.AfterArguments)
                .Append("{additional_tool_calls}").Append(format.End)
                .Append("\n\nWhere:\n- `tool_call_name` must be an exact match to one of the available tools\n- `tool_call_arguments` must be valid JSON that strictly follows the tool's Parameters Schema\n- For multiple tool calls, chain them directly without separators or spaces\n");
        }
        else if (format == ToolCallFormat.Hermes)
        {
            text.Append("# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with function signatures within <tools></tools> XML tags:\n<tools>");
            foreach (JsonNode? tool in tools)
                text.Append('\n').Append(Compact(tool));
            text.Append("\n</tools>\n\nFor each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n{\"name\": <function-name>, \"arguments\": <args-json-object>}\n</tool_call>");
        }
        else
        {
            text.Append("You have access to the following functions. To call a function, respond with JSON for a function call in the format {\"name\": function name, \"parameters\": dictionary of argument name and its value}. Do not use variables.\n");
            foreach (JsonNode? tool in tools)
                text.Append('\n').Append(Compact(tool)).Append('\n');
        }

        return text.ToString();
    }

    private static string Compact(JsonNode? node)
    {
        if (node is null)
            return "{}";
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            node.WriteTo(writer);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    [GeneratedRegex(@"\btools\b", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex ToolsVariable();

    [GeneratedRegex(@"arguments(?:'\])?\s*\|\s*tojson", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex ParsedArguments();
}
