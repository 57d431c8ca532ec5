using System.Text.Json;
using System.Text.Json.Nodes;
using Hadal.Engine.Constraints;
using Hadal.Server.Http;

namespace Hadal.Server.Requests;

/// <summary>The fields that say what form an answer must have: OpenAI's <c>response_format</c>, and vLLM's <c>guided_*</c> and <c>structured_outputs</c>.</summary>
internal static class StructuredOutputReader
{
    private static readonly string[] s_guided = ["guided_json", "guided_regex", "guided_choice", "guided_grammar"];
    private static readonly string[] s_structured = ["json", "regex", "choice", "grammar", "json_object"];

    /// <summary>What a request asks for; null for any text.</summary>
    /// <param name="Param">The field, for errors.</param>
    /// <param name="Schema">Where the form is JSON, the schema that says so.</param>
    /// <param name="Compile">Makes the grammar.</param>
    public sealed record Form(string Param, JsonNode? Schema, Func<GrammarCompiler, Grammar> Compile);

    public static Form? Read(JsonFields body)
    {
        var forms = new List<Form>();
        if (ResponseFormat(body) is { } format)
            forms.Add(format);
        foreach (string name in s_guided)
        {
            if (body.TryGet(name, out JsonElement value) && !(value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 0))
                forms.Add(Of(name["guided_".Length..], value, name));
        }

        if (body.TryGet("structured_outputs", JsonValueKind.Object, out JsonElement outputs))
        {
            foreach (JsonProperty property in outputs.EnumerateObject())
            {
                string path = "structured_outputs." + property.Name;
                if (property.Value.ValueKind is JsonValueKind.Null or JsonValueKind.False)
                    continue;
                if (!s_structured.Contains(property.Name))
                    throw ApiException.NotSupported(path, $"'{ApiException.Shorten(path)}' is not supported; {string.Join(", ", s_structured)} are.");
                forms.Add(Of(property.Name, property.Value, path));
            }
        }

        return forms.Count switch
        {
            0 => null,
            1 => forms[0],
            _ => throw ApiException.Invalid(forms[1].Param, $"'{forms[0].Param}' and '{forms[1].Param}' both say what the answer must be; only one may.", "invalid_value"),
        };
    }

    /// <summary>The grammar, or the client's error.</summary>
    public static Grammar Compile(string param, GrammarCompiler compiler, Func<GrammarCompiler, Grammar> compile)
    {
        try
        {
            return compile(compiler);
        }
        catch (GrammarException e)
        {
            throw ApiException.Invalid(param, $"'{param}' cannot be enforced. {e.Message}", "invalid_value");
        }
    }

    private static Form? ResponseFormat(JsonFields body)
    {
        if (!body.TryGet("response_format", JsonValueKind.Object, out JsonElement element))
            return null;
        var format = new JsonFields(element, "response_format.");
        string type = format.RequiredString("type");
        switch (type)
        {
            case "text":
                return null;
            case "json_object":
                return AnyObject("response_format");
            case "json_schema":
                if (!format.TryGet("json_schema", JsonValueKind.Object, out JsonElement inner))
                    throw ApiException.Invalid("response_format.json_schema", "'response_format.json_schema' is missing.", "missing_required_parameter");
                var fields = new JsonFields(inner, "response_format.json_schema.");
                ToolReader.CheckName(fields.RequiredString("name"), fields.Path("name"));
                // Whether strict or not, the schema is enforced as a whole.
                fields.Bool("strict");
                fields.String("description");
                if (!fields.TryGet("schema", out JsonElement schema))
                    throw ApiException.Invalid(fields.Path("schema"), $"'{fields.Path("schema")}' is missing.", "missing_required_parameter");
                return Schema(schema, fields.Path("schema"));
            default:
                throw ApiException.Invalid("response_format.type", $"'response_format.type' is '{ApiException.Shorten(type)}'; text, json_object or json_schema is expected.", "invalid_value");
        }
    }

    private static Form Of(string kind, JsonElement value, string path)
    {
        switch (kind)
        {
            case "json":
                return value.ValueKind == JsonValueKind.String ? SchemaText(value.GetString()!, path) : Schema(value, path);
            case "json_object":
                return value.ValueKind == JsonValueKind.True ? AnyObject(path) : throw JsonFields.WrongType(path, value, "a boolean");
            case "choice":
                string[] choices = value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(c => c.ValueKind == JsonValueKind.String)
                    ? [.. value.EnumerateArray().Select(c => c.GetString()!)]
                    : throw JsonFields.WrongType(path, value, "an array of strings");
                return new(path, null, c => c.Choice(choices));
            default:
                string text = value.ValueKind == JsonValueKind.String ? value.GetString()! : throw JsonFields.WrongType(path, value, "a string");
                return new(path, null, kind == "regex" ? c => c.Regex(text) : c => c.Gbnf(text));
        }
    }

    private static Form AnyObject(string path) => new(path, new JsonObject { ["type"] = JsonValue.Create("object") }, c => c.JsonObject());

    private static Form Schema(JsonElement schema, string path) => schema.ValueKind is JsonValueKind.Object or JsonValueKind.True or JsonValueKind.False
        ? Schema(schema.ValueKind == JsonValueKind.Object ? JsonObject.Create(schema) : JsonValue.Create(schema.GetBoolean()), path)
        : throw JsonFields.WrongType(path, schema, "a JSON schema (an object)");

    private static Form Schema(JsonNode? schema, string path) => new(path, schema, c => c.JsonSchema(schema));

    private static Form SchemaText(string text, string path)
    {
        try
        {
            return Schema(JsonNode.Parse(text), path);
        }
        catch (JsonException e)
        {
            throw ApiException.Invalid(path, $"'{path}' is a string that holds no JSON: {ApiException.Shorten(e.Message)}", "invalid_value");
        }
    }
}
