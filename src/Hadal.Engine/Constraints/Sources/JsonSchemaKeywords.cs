namespace Hadal.Engine.Constraints.Sources;

/// <summary>Which keywords of JSON Schema say what, and which only describe.</summary>
internal static class JsonSchemaKeywords
{
    private static readonly HashSet<string> _annotations = new(StringComparer.Ordinal)
    {
        "title", "description", "default", "examples", "example", "$schema", "$id", "id", "$comment", "deprecated", "readOnly", "writeOnly",
        "$defs", "definitions", "discriminator", "contentEncoding", "contentMediaType", "externalDocs",
    };

    private static readonly HashSet<string> _general = new(StringComparer.Ordinal) { "type", "enum", "const", "$ref", "anyOf", "oneOf", "allOf", "nullable" };

    private static readonly Dictionary<string, string> _byKeyword = new(StringComparer.Ordinal)
    {
        ["properties"] = "object",
        ["required"] = "object",
        ["additionalProperties"] = "object",
        ["minProperties"] = "object",
        ["maxProperties"] = "object",
        ["items"] = "array",
        ["prefixItems"] = "array",
        ["additionalItems"] = "array",
        ["minItems"] = "array",
        ["maxItems"] = "array",
        ["uniqueItems"] = "array",
        ["minLength"] = "string",
        ["maxLength"] = "string",
        ["pattern"] = "string",
        ["format"] = "string",
        ["minimum"] = "number",
        ["maximum"] = "number",
        ["exclusiveMinimum"] = "number",
        ["exclusiveMaximum"] = "number",
        ["multipleOf"] = "number",
    };

    public static bool IsAnnotation(string keyword) => _annotations.Contains(keyword) || keyword.StartsWith("x-", StringComparison.Ordinal);

    public static bool IsKnown(string keyword) => IsAnnotation(keyword) || _general.Contains(keyword) || _byKeyword.ContainsKey(keyword);

    /// <summary>The type a keyword speaks of; null where it speaks of any.</summary>
    public static string? TypeOf(string keyword) => _byKeyword.GetValueOrDefault(keyword);
}
