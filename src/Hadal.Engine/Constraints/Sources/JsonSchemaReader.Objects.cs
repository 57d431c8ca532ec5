using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hadal.Engine.Constraints.Automata;

namespace Hadal.Engine.Constraints.Sources;

/// <summary>Objects, and which schemas cannot both hold.</summary>
internal sealed partial class JsonSchemaReader
{
    private const int MaxProperties = 1000;

    private GrammarNode ObjectNode(JsonObject schema, string path, int depth)
    {
        var declared = schema["properties"] switch
        {
            null => [],
            JsonObject map => map,
            var other => throw new GrammarException($"The schema at '{path}' has 'properties': {Shorten(other)}; an object is expected."),
        };
        HashSet<string> required = Required(schema, path);
        schema.TryGetPropertyValue("additionalProperties", out JsonNode? additional);
        // A schema with properties that is silent about others gets none: that satisfies it, and is what its writer meant.
        bool isOpen = schema.ContainsKey("additionalProperties") ? !SchemaMerger.IsFalse(additional) : !schema.ContainsKey("properties");
        GrammarNode Other() => additional is null ? _json.Value : Visit(additional, path + "/additionalProperties", depth + 1);

        var properties = new List<(string Name, GrammarNode Value, bool IsRequired)>();
        foreach ((string name, JsonNode? value) in declared)
        {
            bool isRequired = required.Remove(name);
            if (SchemaMerger.IsFalse(value) && !isRequired)
                continue;
            properties.Add((name, Visit(value, $"{path}/properties/{name}", depth + 1), isRequired));
        }

        foreach (string name in required)
        {
            if (schema.ContainsKey("additionalProperties") && SchemaMerger.IsFalse(additional))
                return GrammarNode.Nothing;
            properties.Add((name, Other(), true));
        }

        if (properties.Count > MaxProperties)
            throw new GrammarException($"The schema at '{path}' has {properties.Count} properties; at most {MaxProperties} are taken.");
        CheckCounts(schema, properties.Count(p => p.IsRequired), isOpen ? null : properties.Count, path);
        if (properties.Count == 0 && isOpen && additional is null)
            return _json.Object;
        return GrammarNode.Of(GrammarNode.Text("{"), _json.Space, Members(properties, isOpen ? Other() : null), GrammarNode.Text("}"));
    }

    /// <summary>
    /// The members in their order, optional ones left out or not. For each i there is a node where none has come yet, one where some have, and
    /// one behind the comma, from which the names of all that may come are told apart letter by letter.
    /// </summary>
    private GrammarNode.Graph Members(List<(string Name, GrammarNode Value, bool IsRequired)> properties, GrammarNode? other)
    {
        int n = properties.Count;
        int First(int i) => 3 * i;
        int Rest(int i) => (3 * i) + 1;
        int Key(int i) => (3 * i) + 2;
        int end = (3 * n) + 3;
        GrammarNode comma = GrammarNode.Of(GrammarNode.Text(","), _json.Space);
        GrammarNode MemberOf(GrammarNode key, GrammarNode value) => GrammarNode.Of(key, _json.Space, GrammarNode.Text(":"), _json.Space, value, _json.Space);
        var edges = new List<(int, GrammarNode, int)>();
        for (int i = 0; i < n; i++)
        {
            (string name, GrammarNode value, bool isRequired) = properties[i];
            edges.Add((First(i), GrammarNode.Empty, Key(i)));
            edges.Add((Rest(i), comma, Key(i)));
            edges.Add((Key(i), MemberOf(JsonText.Quoted(GrammarNode.Text(JsonText.Escape(name))), value), Rest(i + 1)));
            if (isRequired)
                continue;
            edges.Add((First(i), GrammarNode.Empty, First(i + 1)));
            edges.Add((Rest(i), GrammarNode.Empty, Rest(i + 1)));
        }

        edges.Add((First(n), GrammarNode.Empty, end));
        edges.Add((Rest(n), GrammarNode.Empty, end));
        if (other is not null)
        {
            GrammarNode key = properties.Count == 0 ? _json.String : JsonText.Quoted(OtherNames([.. properties.Select(p => p.Name)]));
            edges.Add((First(n), GrammarNode.Empty, Key(n)));
            edges.Add((Rest(n), comma, Key(n)));
            edges.Add((Key(n), MemberOf(key, other), Rest(n)));
        }

        return new GrammarNode.Graph(end + 1, edges);
    }

    /// <summary>Any name but these, in characters that no escape hides.</summary>
    private static GrammarNode.Graph OtherNames(string[] names)
    {
        // Node 0 is the start of a tree of the names; 1 is off the tree, and the last one the end.
        var children = new List<SortedDictionary<int, int>> { new(), new() };
        var ends = new HashSet<int>();
        foreach (string name in names)
        {
            int at = 0;
            foreach (Rune rune in name.EnumerateRunes())
            {
                if (!children[at].TryGetValue(rune.Value, out int next))
                {
                    children[at][rune.Value] = next = children.Count;
                    children.Add([]);
                }

                at = next;
            }

            ends.Add(at);
        }

        int end = children.Count;
        var edges = new List<(int, GrammarNode, int)>();
        for (int node = 0; node < end; node++)
        {
            foreach ((int value, int next) in children[node])
                edges.Add((node, JsonText.Encode(CodePointSet.Single(value)), next));
            CodePointSet taken = CodePointSet.Of(children[node].Keys.Select(c => (c, c)));
            edges.Add((node, JsonText.Encode(CodePointSet.All.Except(taken)), 1));
            if (!ends.Contains(node))
                edges.Add((node, GrammarNode.Empty, end));
        }

        return new GrammarNode.Graph(end + 1, edges);
    }

    private static HashSet<string> Required(JsonObject schema, string path)
    {
        // In draft 3 a boolean of the property itself.
        if (!schema.TryGetPropertyValue("required", out JsonNode? list) || list is null)
            return [];
        if (list is not JsonArray array || array.Any(n => n is not JsonValue v || v.GetValueKind() != JsonValueKind.String))
            throw new GrammarException($"The schema at '{path}' has 'required': {Shorten(list)}; an array of names is expected.");
        return new HashSet<string>(array.Select(n => n!.GetValue<string>()), StringComparer.Ordinal);
    }

    private static void CheckCounts(JsonObject schema, int least, int? most, string path)
    {
        if (Count(schema, "minProperties", path) > least)
            throw new GrammarException($"The schema at '{path}' uses 'minProperties' beyond its required ones, which is not supported.");
        if (Count(schema, "maxProperties", path) is { } max && !(most <= max))
            throw new GrammarException($"The schema at '{path}' uses 'maxProperties' below what its properties may be, which is not supported.");
    }

    /// <summary>Whether it is certain that no value satisfies both.</summary>
    private bool AreDisjoint(JsonNode? a, JsonNode? b, int depth)
    {
        CountVisit();
        a = Follow(a);
        b = Follow(b);
        if (SchemaMerger.IsFalse(a) || SchemaMerger.IsFalse(b))
            return true;
        if (depth > 4 || a is not JsonObject first || b is not JsonObject second)
            return false;
        if (Constants(first) is { } some && Constants(second) is { } others)
            return !some.Overlaps(others);
        string[] types = PossibleTypes(first), otherTypes = PossibleTypes(second);
        if (types.Length > 0 && otherTypes.Length > 0 && !types.Any(otherTypes.Contains))
            return true;
        if (types is not ["object"] || otherTypes is not ["object"] || first["properties"] is not JsonObject p || second["properties"] is not JsonObject q)
            return false;
        HashSet<string> needed = Required(first, "#"), otherNeeded = Required(second, "#");
        return needed.Any(n => otherNeeded.Contains(n) && p.ContainsKey(n) && q.ContainsKey(n) && AreDisjoint(p[n], q[n], depth + 1))
            || (SchemaMerger.IsFalse(second["additionalProperties"]) && needed.Any(n => !q.ContainsKey(n)))
            || (SchemaMerger.IsFalse(first["additionalProperties"]) && otherNeeded.Any(n => !p.ContainsKey(n)));
    }

    private JsonNode? Follow(JsonNode? schema)
    {
        for (int i = 0; i < 32 && schema is JsonObject o && o.ContainsKey("$ref"); i++)
            schema = Resolve(o, "#");
        return schema;
    }

    private static HashSet<string>? Constants(JsonObject schema)
        => schema.ContainsKey("const") ? [JsonLiteral.Write(schema["const"])]
            : schema["enum"] is JsonArray values ? [.. values.Select(JsonLiteral.Write)]
            : null;

    /// <summary>The types that its "type" or its constants leave, integers as numbers; empty where it leaves all.</summary>
    private static string[] PossibleTypes(JsonObject schema)
    {
        IEnumerable<string> types = schema["type"] switch
        {
            JsonArray several => several.Select(t => t?.ToString() ?? "null"),
            JsonValue one => [one.ToString()],
            _ when schema.ContainsKey("const") => [TypeOf(schema["const"])],
            _ when schema["enum"] is JsonArray values => values.Select(TypeOf),
            _ => [],
        };
        string[] found = [.. types.Select(t => t == "integer" ? "number" : t).Distinct()];
        return found.Length > 0 && schema["nullable"] is not null ? [.. found.Append("null").Distinct()] : found;
    }
}
