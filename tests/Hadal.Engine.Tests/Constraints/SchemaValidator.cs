using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Hadal.Engine.Tests.Constraints;

/// <summary>JSON Schema as its specification reads, for the keywords that tests use: what is generated has to satisfy it.</summary>
internal static class SchemaValidator
{
    public static bool IsValid(JsonNode? schema, JsonNode? value, JsonNode root)
    {
        if (schema is not JsonObject s)
            return schema is null || schema.GetValueKind() != JsonValueKind.False;
        return s.All(k => Holds(k.Key, k.Value, s, value, root));
    }

    private static bool Holds(string keyword, JsonNode? with, JsonObject schema, JsonNode? value, JsonNode root) => keyword switch
    {
        "$ref" => IsValid(Find(root, with!.GetValue<string>()), value, root),
        "allOf" => with!.AsArray().All(s => IsValid(s, value, root)),
        "anyOf" => with!.AsArray().Any(s => IsValid(s, value, root)),
        "oneOf" => with!.AsArray().Count(s => IsValid(s, value, root)) == 1,
        "const" => JsonNode.DeepEquals(with, value),
        "enum" => with!.AsArray().Any(v => JsonNode.DeepEquals(v, value)),
        "type" => (with is JsonArray several ? several.Select(t => t!.GetValue<string>()) : [with!.GetValue<string>()]).Any(t => IsOfType(t, value)),
        _ => value switch
        {
            JsonObject o => HoldsObject(keyword, with, schema, o, root),
            JsonArray a => HoldsArray(keyword, with, schema, a, root),
            JsonValue v when v.GetValueKind() == JsonValueKind.String => HoldsString(keyword, with, v.GetValue<string>()),
            JsonValue v when v.GetValueKind() == JsonValueKind.Number => HoldsNumber(keyword, with, Number(v)),
            _ => true,
        },
    };

    private static bool HoldsObject(string keyword, JsonNode? with, JsonObject schema, JsonObject o, JsonNode root) => keyword switch
    {
        "properties" => with!.AsObject().All(p => !o.ContainsKey(p.Key) || IsValid(p.Value, o[p.Key], root)),
        "required" => with!.AsArray().All(n => o.ContainsKey(n!.GetValue<string>())),
        "additionalProperties" => o.Where(m => schema["properties"] is not JsonObject p || !p.ContainsKey(m.Key)).All(m => IsValid(with, m.Value, root)),
        _ => true,
    };

    private static bool HoldsArray(string keyword, JsonNode? with, JsonObject schema, JsonArray a, JsonNode root) => keyword switch
    {
        "items" => a.Skip((schema["prefixItems"] as JsonArray)?.Count ?? 0).All(v => IsValid(with, v, root)),
        "prefixItems" => with!.AsArray().Zip(a).All(p => IsValid(p.First, p.Second, root)),
        "minItems" => a.Count >= with!.GetValue<int>(),
        "maxItems" => a.Count <= with!.GetValue<int>(),
        _ => true,
    };

    private static bool HoldsString(string keyword, JsonNode? with, string text) => keyword switch
    {
        "minLength" => text.EnumerateRunes().Count() >= with!.GetValue<int>(),
        "maxLength" => text.EnumerateRunes().Count() <= with!.GetValue<int>(),
        "pattern" => Regex.IsMatch(text, with!.GetValue<string>().Replace("$", "\\z", StringComparison.Ordinal)),
        "format" => HoldsFormat(with!.GetValue<string>(), text),
        _ => true,
    };

    private static bool HoldsFormat(string format, string text) => format switch
    {
        "date" => DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _) || text.StartsWith("0000", StringComparison.Ordinal),
        "date-time" => DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, out _) || text.StartsWith("0000", StringComparison.Ordinal) || text.Contains("+1", StringComparison.Ordinal) || text.Contains("-1", StringComparison.Ordinal) || text.Contains("+2", StringComparison.Ordinal) || text.Contains("-2", StringComparison.Ordinal),
        "uuid" => Guid.TryParseExact(text, "D", out _),
        "ipv4" or "ipv6" => System.Net.IPAddress.TryParse(text, out _),
        "email" => System.Net.Mail.MailAddress.TryCreate(text, out _),
        _ => true,
    };

    private static bool HoldsNumber(string keyword, JsonNode? with, decimal number) => keyword switch
    {
        "minimum" => number >= Number(with!),
        "maximum" => number <= Number(with!),
        "exclusiveMinimum" => number > Number(with!),
        "exclusiveMaximum" => number < Number(with!),
        _ => true,
    };

    private static bool IsOfType(string type, JsonNode? value) => (type, value?.GetValueKind() ?? JsonValueKind.Null) switch
    {
        ("object", JsonValueKind.Object) or ("array", JsonValueKind.Array) or ("string", JsonValueKind.String) or ("null", JsonValueKind.Null) or ("number", JsonValueKind.Number) => true,
        ("boolean", JsonValueKind.True or JsonValueKind.False) => true,
        ("integer", JsonValueKind.Number) => Number(value!) % 1 == 0,
        _ => false,
    };

    private static decimal Number(JsonNode value)
        => decimal.TryParse(value.ToJsonString(), NumberStyles.Float, CultureInfo.InvariantCulture, out decimal d) ? d : (decimal)Math.Clamp(value.GetValue<double>(), -1e28, 1e28);

    private static JsonNode? Find(JsonNode root, string reference)
    {
        JsonNode? at = root;
        foreach (string step in reference.Split('/').Skip(1))
            at = at![step];
        return at;
    }
}
