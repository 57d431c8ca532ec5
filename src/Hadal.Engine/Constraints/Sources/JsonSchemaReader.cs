using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hadal.Engine.Constraints.Automata;

namespace Hadal.Engine.Constraints.Sources;

/// <summary>
/// JSON Schema to rules. What comes out satisfies the schema; properties come in the schema's order, as OpenAI's strict mode has it, and other ones only where
/// additionalProperties says so. What cannot be enforced is refused by name, never ignored.
/// </summary>
internal sealed partial class JsonSchemaReader
{
    private const int MaxSchemaChars = 512 << 10;
    // Of all parts together, each with what stands inside it.
    private const int MaxReadChars = 64 * MaxSchemaChars;

    // Parts of schemas copied to put them together; each is some hundred bytes.
    private const int MaxMerged = 1_000_000;
    private const int MaxDepth = 64;
    private const int MaxVisits = 20_000;

    private static readonly string[] _types = ["object", "array", "string", "integer", "number", "boolean", "null"];

    private readonly JsonNode? _root;
    private readonly GrammarRules _rules;
    private readonly JsonText _json;
    private readonly SchemaMerger _merger;
    private readonly Dictionary<string, GrammarNode.Rule> _known = new(StringComparer.Ordinal);
    private int _numVisits;
    private long _numChars;
    private long _numMerged;

    private JsonSchemaReader(JsonNode? root, GrammarRules rules, JsonText json)
    {
        _root = root;
        _rules = rules;
        _json = json;
        _merger = new SchemaMerger(schema => Resolve(schema, "#"), CountMerge);
    }

    public static GrammarNode.Rule Read(JsonNode? schema, GrammarRules rules, JsonText json)
    {
        try
        {
            int length = JsonLiteral.Write(schema).Length;
            if (length > MaxSchemaChars)
                throw new GrammarException($"The schema has {length} characters; at most {MaxSchemaChars} are taken.");
            return new JsonSchemaReader(schema, rules, json).Visit(schema, "#", 0);
        }
        catch (ArgumentException e)
        {
            // JsonNode finds a name that stands twice only when it is looked at.
            throw new GrammarException($"The schema is no valid JSON: {e.Message}");
        }
    }

    private GrammarNode.Rule Visit(JsonNode? schema, string path, int depth)
    {
        CountVisit();
        if (depth > MaxDepth)
            throw new GrammarException($"The schema at '{path}' is nested deeper than {MaxDepth}.");
        // By its text, not its place: equal parts share rules and masks, and references may go round.
        string text = JsonLiteral.Write(schema);
        if (_known.TryGetValue(text, out GrammarNode.Rule? rule))
            return rule;
        _numChars += text.Length;
        if (text.Length > MaxSchemaChars || _numChars > MaxReadChars)
            throw new GrammarException("The schema multiplies as its references and allOf are put together. Make it simpler.");
        _known[text] = rule = _rules.Declare(path);
        _rules.Define(rule, Body(schema, path, depth));
        return rule;
    }

    private GrammarNode Body(JsonNode? schema, string path, int depth)
    {
        if (schema is JsonValue flag && flag.GetValueKind() is JsonValueKind.True or JsonValueKind.False)
            return SchemaMerger.IsFalse(schema) ? GrammarNode.Nothing : _json.Value;
        if (schema is not JsonObject all)
            throw new GrammarException($"The schema at '{path}' is neither an object nor a boolean.");
        foreach ((string keyword, _) in all)
        {
            if (!JsonSchemaKeywords.IsKnown(keyword))
                throw new GrammarException($"The schema at '{path}' uses '{keyword}', which is not supported.");
        }

        if (all.ContainsKey("$ref"))
        {
            JsonNode? target = Resolve(all, path);
            JsonObject beside = SchemaMerger.Without(all, "$ref");
            return HasMeaning(beside) ? Visit(_merger.Merge(target, beside, path), path, depth + 1) : Visit(target, $"{all["$ref"]}", depth + 1);
        }

        if (all.TryGetPropertyValue("allOf", out JsonNode? conditions))
        {
            JsonNode merged = SchemaMerger.Without(all, "allOf");
            foreach (JsonNode? condition in Schemas(conditions, "allOf", path))
                merged = _merger.Merge(merged, condition, path);
            return Visit(merged, path, depth + 1);
        }

        foreach (string keyword in (ReadOnlySpan<string>)["anyOf", "oneOf"])
        {
            if (all.TryGetPropertyValue(keyword, out JsonNode? choices))
                return Choice(all, keyword, Schemas(choices, keyword, path), path, depth);
        }

        bool isNullable = all["nullable"] is JsonValue nullable && nullable.GetValueKind() == JsonValueKind.True;
        GrammarNode body = all.ContainsKey("enum") || all.ContainsKey("const") ? Literals(all, path) : ByType(all, path, depth);
        return isNullable ? GrammarNode.Any(body, JsonText.Null) : body;
    }

    private GrammarNode Choice(JsonObject all, string keyword, JsonArray choices, string path, int depth)
    {
        JsonObject beside = SchemaMerger.Without(all, keyword);
        JsonNode?[] schemas = [.. choices];
        if (HasMeaning(beside))
            schemas = [.. schemas.Select((s, i) => _merger.Merge(beside, s, $"{path}/{keyword}/{i}"))];
        if (keyword == "oneOf")
        {
            for (int i = 0; i < schemas.Length; i++)
            {
                for (int j = 0; j < i; j++)
                {
                    if (!AreDisjoint(schemas[i], schemas[j], 0))
                        throw new GrammarException($"The schema at '{path}' uses 'oneOf', and it cannot be told that nothing satisfies both of its choices {j} and {i}. Use anyOf, or give them a required property with different constants.");
                }
            }
        }

        return GrammarNode.Any([.. schemas.Select((s, i) => Visit(s, $"{path}/{keyword}/{i}", depth + 1))]);
    }

    private GrammarNode ByType(JsonObject schema, string path, int depth)
    {
        string[] types = Types(schema, path);
        return GrammarNode.Any([.. types.Select(type => type switch
        {
            "object" => ObjectNode(schema, path, depth),
            "array" => ArrayNode(schema, path, depth),
            "string" => StringNode(schema, path),
            "integer" => IntegerNode(schema, path),
            // An integer is a number: without this, a text could be read in both ways.
            "number" => NumberNode(schema, path),
            "boolean" => JsonText.Boolean,
            "null" => JsonText.Null,
            _ => _json.Value,
        })]);
    }

    /// <summary>The types it may have; "any" where it says nothing about it. Without "type", keywords of a type speak for that type alone.</summary>
    private static string[] Types(JsonObject schema, string path)
    {
        if (!schema.TryGetPropertyValue("type", out JsonNode? type))
        {
            string[] meant = [.. schema.Select(p => JsonSchemaKeywords.TypeOf(p.Key)).OfType<string>().Distinct()];
            return meant.Length > 0 ? meant : ["any"];
        }

        string[] types = type is JsonArray array ? [.. array.Select(t => t?.ToString() ?? "null").Distinct()] : [type?.ToString() ?? "null"];
        foreach (string name in types)
        {
            if (!_types.Contains(name))
                throw new GrammarException($"The schema at '{path}' has the type '{name}'; {string.Join(", ", _types)} are known.");
        }

        return types.Contains("number") ? [.. types.Where(t => t != "integer")] : types;
    }

    private static GrammarNode Literals(JsonObject schema, string path)
    {
        foreach ((string keyword, _) in schema)
        {
            if (JsonSchemaKeywords.TypeOf(keyword) is not null && keyword != "format")
                throw new GrammarException($"The schema at '{path}' uses '{keyword}' beside constants, which is not supported: leave out the constants that do not satisfy it.");
        }

        IEnumerable<JsonNode?> values = [schema["const"]];
        if (schema.TryGetPropertyValue("enum", out JsonNode? list))
        {
            JsonArray all = list as JsonArray ?? throw new GrammarException($"The schema at '{path}' has an 'enum' that is no array.");
            values = schema.ContainsKey("const") ? all.Where(v => JsonLiteral.Write(v) == JsonLiteral.Write(schema["const"])) : all;
        }

        if (schema.ContainsKey("type"))
        {
            string[] types = Types(schema, path);
            values = values.Where(v => types.Contains(TypeOf(v)) || (types.Contains("number") && TypeOf(v) == "integer"));
        }

        return GrammarNode.Any([.. values.Select(v => GrammarNode.Text(JsonLiteral.Write(v))).Distinct()]);
    }

    private static string TypeOf(JsonNode? value) => value switch
    {
        null => "null",
        JsonObject => "object",
        JsonArray => "array",
        _ => value.GetValueKind() switch
        {
            JsonValueKind.String => "string",
            JsonValueKind.True or JsonValueKind.False => "boolean",
            JsonValueKind.Null => "null",
            _ => value.ToJsonString().AsSpan().ContainsAny('.', 'e', 'E') ? "number" : "integer",
        },
    };

    private JsonNode? Resolve(JsonObject schema, string path)
    {
        CountVisit();
        string reference = schema["$ref"] is JsonValue value && value.GetValueKind() == JsonValueKind.String
            ? value.GetValue<string>()
            : throw new GrammarException($"The schema at '{path}' has a '$ref' that is no string.");
        if (reference != "#" && !reference.StartsWith("#/", StringComparison.Ordinal))
            throw new GrammarException($"The schema at '{path}' refers to '{reference}'; only places within the schema itself ('#/…') can be referred to.");
        JsonNode? target = _root;
        foreach (string step in reference.Split('/').Skip(1))
        {
            string name = Uri.UnescapeDataString(step).Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            bool isThere = target switch
            {
                JsonObject inside => inside.TryGetPropertyValue(name, out target),
                JsonArray list when int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int index) && index < list.Count => (target = list[index]) is not null,
                _ => false,
            };
            if (!isThere)
                throw new GrammarException($"The schema at '{path}' refers to '{reference}', which is not there.");
        }

        return target;
    }

    private void CountVisit()
    {
        if (++_numVisits > MaxVisits)
            throw new GrammarException($"The schema takes more than {MaxVisits} steps to read: it is too large, or its anyOf and allOf multiply. Make it simpler.");
        if (!System.Runtime.CompilerServices.RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw new GrammarException("The schema is nested too deeply.");
    }

    private void CountMerge(JsonNode? a, JsonNode? b)
    {
        CountVisit();
        _numMerged += NumNodes(a) + NumNodes(b);
        if (_numMerged > MaxMerged)
            throw new GrammarException("The schema multiplies as its references and allOf are put together. Make it simpler.");
    }

    private static long NumNodes(JsonNode? node) => node switch
    {
        JsonObject map => 1 + map.Sum(p => NumNodes(p.Value)),
        JsonArray list => 1 + list.Sum(NumNodes),
        _ => 1,
    };

    private static bool HasMeaning(JsonObject schema) => schema.Any(p => !JsonSchemaKeywords.IsAnnotation(p.Key));

    private static JsonArray Schemas(JsonNode? list, string keyword, string path)
        => list is JsonArray { Count: > 0 } array ? array : throw new GrammarException($"The schema at '{path}' has '{keyword}' without a list of schemas.");

    private static int? Count(JsonObject schema, string keyword, string path)
    {
        if (!schema.TryGetPropertyValue(keyword, out JsonNode? node) || node is null)
            return null;
        return node is JsonValue value && value.GetValueKind() == JsonValueKind.Number && int.TryParse(value.ToJsonString(), NumberStyles.None, CultureInfo.InvariantCulture, out int count)
            ? count
            : throw new GrammarException($"The schema at '{path}' has '{keyword}': {Shorten(node)}; a whole number from 0 is expected.");
    }

    private static string Shorten(JsonNode? node)
    {
        string text = JsonLiteral.Write(node);
        return text.Length <= 60 ? text : text[..(char.IsHighSurrogate(text[59]) ? 59 : 60)] + "…";
    }
}
