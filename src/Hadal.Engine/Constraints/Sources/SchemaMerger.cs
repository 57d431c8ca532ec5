using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hadal.Engine.Constraints.Sources;

/// <summary>Joins schemas that must all hold (allOf, keywords beside $ref and anyOf) into one that says the same, or refuses.</summary>
internal sealed class SchemaMerger(Func<JsonObject, JsonNode?> resolve, Action<JsonNode?, JsonNode?> countMerge)
{
    private const int MaxDepth = 64;

    /// <returns>A new schema; true where both are.</returns>
    public JsonNode Merge(JsonNode? a, JsonNode? b, string path, int depth = 0)
    {
        countMerge(a, b);
        if (depth > MaxDepth)
            throw new GrammarException($"The schema at '{path}' joins schemas deeper than {MaxDepth}.");
        if (IsFalse(a) || IsFalse(b))
            return JsonValue.Create(false);
        if (a is not JsonObject first)
            return b?.DeepClone() ?? JsonValue.Create(true);
        if (b is not JsonObject second)
            return first.DeepClone();
        if (first.ContainsKey("$ref"))
            return Merge(Without(first, "$ref"), Merge(resolve(first), second, path, depth + 1), path, depth + 1);
        if (second.ContainsKey("$ref"))
            return Merge(Merge(first, resolve(second), path, depth + 1), Without(second, "$ref"), path, depth + 1);
        RefuseClosed(first, second, path);
        var merged = (JsonObject)first.DeepClone();
        foreach ((string keyword, JsonNode? value) in second)
        {
            if (!merged.TryGetPropertyValue(keyword, out JsonNode? own))
                merged[keyword] = value?.DeepClone();
            else
                merged[keyword] = Both(keyword, own, value, path, depth, merged);
        }

        return merged;
    }

    public static JsonObject Without(JsonObject schema, params ReadOnlySpan<string> keywords)
    {
        var rest = (JsonObject)schema.DeepClone();
        foreach (string keyword in keywords)
            rest.Remove(keyword);
        return rest;
    }

    public static bool IsFalse(JsonNode? schema) => schema is JsonValue value && value.GetValueKind() == JsonValueKind.False;

    private JsonNode? Both(string keyword, JsonNode? a, JsonNode? b, string path, int depth, JsonObject into)
    {
        switch (keyword)
        {
            case "properties" or "$defs" or "definitions" when a is JsonObject own && b is JsonObject other:
                var properties = (JsonObject)own.DeepClone();
                foreach ((string name, JsonNode? schema) in other)
                    properties[name] = own.ContainsKey(name) && keyword == "properties" ? Merge(own[name], schema, $"{path}/properties/{name}", depth + 1) : schema?.DeepClone();
                return properties;
            case "required" when a is JsonArray own && b is JsonArray other:
                return new JsonArray([.. own.Concat(other).DistinctBy(n => n?.ToJsonString()).Select(n => n?.DeepClone())]);
            case "type":
                return CommonTypes(a, b);
            case "enum" when a is JsonArray own && b is JsonArray other:
                HashSet<string> allowed = [.. other.Select(JsonLiteral.Write)];
                return new JsonArray([.. own.Where(n => allowed.Contains(JsonLiteral.Write(n))).Select(n => n?.DeepClone())]);
            case "minimum" or "exclusiveMinimum" or "minLength" or "minItems" or "minProperties" when IsNumber(a) && IsNumber(b):
                return (Number(a) >= Number(b) ? a : b)!.DeepClone();
            case "maximum" or "exclusiveMaximum" or "maxLength" or "maxItems" or "maxProperties" when IsNumber(a) && IsNumber(b):
                return (Number(a) <= Number(b) ? a : b)!.DeepClone();
            case "items" or "additionalProperties":
                return Merge(a, b, $"{path}/{keyword}", depth + 1);
            case "anyOf" or "oneOf" or "allOf":
                // Both must hold: the second goes on as a condition of its own.
                JsonArray rest = into["allOf"] as JsonArray ?? [];
                if (keyword == "allOf")
                    return new JsonArray([.. ((JsonArray)a!).Concat((JsonArray)b!).Select(n => n?.DeepClone())]);
                rest.Add((JsonNode)new JsonObject { [keyword] = b?.DeepClone() });
                if (rest.Parent is null)
                    into["allOf"] = rest;
                return a?.DeepClone();
        }

        if (JsonSchemaKeywords.IsAnnotation(keyword) || JsonLiteral.Write(a) == JsonLiteral.Write(b))
            return a?.DeepClone();
        throw new GrammarException($"The schema at '{path}' has to satisfy two different '{keyword}' at once (allOf, or beside $ref or anyOf), which is not supported.");
    }

    private static void RefuseClosed(JsonObject a, JsonObject b, string path)
    {
        if (IsOneWay(a, b) || IsOneWay(b, a))
            throw new GrammarException($"The schema at '{path}' joins (allOf, or beside $ref or anyOf) 'additionalProperties' with properties of another schema, which is not supported.");

        static bool IsOneWay(JsonObject closed, JsonObject other)
            => closed["additionalProperties"] is { } more && !(more is JsonValue v && v.GetValueKind() == JsonValueKind.True)
            && other["properties"] is JsonObject properties && properties.Any(p => closed["properties"] is not JsonObject own || !own.ContainsKey(p.Key));
    }

    private static JsonArray CommonTypes(JsonNode? a, JsonNode? b)
    {
        string[] first = Types(a), second = Types(b);
        var common = first.Where(second.Contains).ToHashSet(StringComparer.Ordinal);
        if (first.Contains("integer") && second.Contains("number") || first.Contains("number") && second.Contains("integer"))
            common.Add("integer");
        return new JsonArray([.. common.Select(t => JsonValue.Create(t))]);
    }

    private static string[] Types(JsonNode? type) => type is JsonArray array ? [.. array.Select(t => t?.ToString() ?? "")] : [type?.ToString() ?? ""];

    private static bool IsNumber(JsonNode? node) => node is JsonValue value && value.GetValueKind() == JsonValueKind.Number;

    private static decimal Number(JsonNode? node)
        => decimal.TryParse(node!.ToJsonString(), System.Globalization.NumberStyles.Float, System.Globalization.CultureInfo.InvariantCulture, out decimal number)
            ? number
            : throw new GrammarException($"The number {node!.ToJsonString()} is too large for a bound.");
}
