using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hadal.Engine.Constraints.Automata;

namespace Hadal.Engine.Constraints.Sources;

/// <summary>Strings, numbers and arrays.</summary>
internal sealed partial class JsonSchemaReader
{
    private GrammarNode StringNode(JsonObject schema, string path)
    {
        int? min = Count(schema, "minLength", path), max = Count(schema, "maxLength", path);
        string? pattern = Text(schema, "pattern", path), format = Text(schema, "format", path);
        bool hasLength = min > 0 || max is not null;
        if ((hasLength ? 1 : 0) + (pattern is null ? 0 : 1) + (format is null ? 0 : 1) > 1)
            throw new GrammarException($"The schema at '{path}' uses several of 'pattern', 'format' and 'minLength' or 'maxLength', which is not supported together. Put the length into the pattern.");
        if (format is not null)
            pattern = StringFormats.PatternOf(format) ?? throw new GrammarException($"The schema at '{path}' uses the format '{format}', which is not supported; {StringFormats.Names} are.");
        if (pattern is not null)
            return Quoted(path, () => RegexParser.Parse(pattern, JsonText.Encode, search: format is null));
        if (!hasLength)
            return _json.String;
        // Without escapes of what needs none: a thousand characters are a thousand copies.
        return JsonText.Quoted(new GrammarNode.Repeat(JsonText.PlainCharacter, min ?? 0, max));
    }

    private static GrammarNode Quoted(string path, Func<GrammarNode> read)
    {
        try
        {
            return JsonText.Quoted(read());
        }
        catch (GrammarException e)
        {
            throw new GrammarException($"The schema at '{path}' has a 'pattern' that cannot be used. {e.Message}");
        }
    }

    private GrammarNode IntegerNode(JsonObject schema, string path)
    {
        (long? min, bool minExcluded) = Bound(schema, "minimum", "exclusiveMinimum", path, mayRound: true);
        (long? max, bool maxExcluded) = Bound(schema, "maximum", "exclusiveMaximum", path, mayRound: true);
        RefuseMultiples(schema, path, allowOne: true);
        return min is null && max is null ? _json.Integer : NumberRange.Integers(minExcluded ? min + 1 : min, maxExcluded ? max - 1 : max);
    }

    private GrammarNode NumberNode(JsonObject schema, string path)
    {
        (long? min, bool minExcluded) = Bound(schema, "minimum", "exclusiveMinimum", path, mayRound: false);
        (long? max, bool maxExcluded) = Bound(schema, "maximum", "exclusiveMaximum", path, mayRound: false);
        RefuseMultiples(schema, path, allowOne: false);
        return min is null && max is null ? _json.Number : NumberRange.Decimals(min, minExcluded, max, maxExcluded);
    }

    /// <summary>The tighter of a bound and an excluded bound.</summary>
    private static (long? Value, bool IsExcluded) Bound(JsonObject schema, string included, string excluded, string path, bool mayRound)
    {
        bool isLower = included == "minimum";
        long? inner = Whole(schema, included, path, mayRound, isLower, isExcluded: false);
        // In draft 4, exclusiveMinimum is a boolean beside minimum.
        if (schema[excluded] is JsonValue flag && flag.GetValueKind() is JsonValueKind.True or JsonValueKind.False)
            return (inner, schema[excluded]!.GetValue<bool>());
        long? outer = Whole(schema, excluded, path, mayRound, isLower, isExcluded: true);
        if (outer is null)
            return (inner, false);
        return inner is { } i && (isLower ? i > outer : i < outer) ? (inner, false) : (outer, true);
    }

    private static long? Whole(JsonObject schema, string keyword, string path, bool mayRound, bool isLower, bool isExcluded)
    {
        if (!schema.TryGetPropertyValue(keyword, out JsonNode? node) || node is null)
            return null;
        if (node is not JsonValue value || value.GetValueKind() != JsonValueKind.Number || !decimal.TryParse(value.ToJsonString(), NumberStyles.Float, CultureInfo.InvariantCulture, out decimal bound))
            throw new GrammarException($"The schema at '{path}' has '{keyword}': {Shorten(node)}; a number is expected.");
        if (Math.Abs(bound) > NumberRange.Limit)
            throw new GrammarException($"The schema at '{path}' has '{keyword}': {Shorten(node)}; bounds have 17 digits at the most. Leave out a bound that large.");
        if (bound == Math.Truncate(bound))
            return (long)bound;
        if (!mayRound)
            throw new GrammarException($"The schema at '{path}' has '{keyword}': {Shorten(node)}; only whole bounds are supported for numbers.");
        // 2 < 2.5 < 3: below an integer lies the same, whether the bound itself counts or not.
        bool roundUp = isLower != isExcluded;
        return (long)(roundUp ? Math.Ceiling(bound) : Math.Floor(bound));
    }

    private static void RefuseMultiples(JsonObject schema, string path, bool allowOne)
    {
        if (schema.TryGetPropertyValue("multipleOf", out JsonNode? step) && !(allowOne && step?.ToJsonString() == "1"))
            throw new GrammarException($"The schema at '{path}' uses 'multipleOf', which is not supported.");
    }

    private GrammarNode ArrayNode(JsonObject schema, string path, int depth)
    {
        if (schema["uniqueItems"] is JsonValue unique && unique.GetValueKind() == JsonValueKind.True)
            throw new GrammarException($"The schema at '{path}' uses 'uniqueItems', which is not supported.");
        int min = Count(schema, "minItems", path) ?? 0;
        int? max = Count(schema, "maxItems", path);
        if (max < min)
            return GrammarNode.Nothing;
        JsonNode? items = schema["items"], prefix = schema["prefixItems"];
        bool hasItems = schema.ContainsKey("items");
        if (items is JsonArray)
        {
            // A list of items, and additionalItems behind it, is how older drafts write prefixItems.
            prefix = items;
            hasItems = schema.TryGetPropertyValue("additionalItems", out items);
        }

        if (prefix is not (null or JsonArray))
            throw new GrammarException($"The schema at '{path}' has 'prefixItems' that are no array.");
        var first = prefix as JsonArray ?? [];
        bool isClosed = hasItems && SchemaMerger.IsFalse(items);
        if (first.Count == 0)
        {
            GrammarNode item = hasItems ? Visit(items, path + "/items", depth + 1) : _json.Value;
            return isClosed ? (min > 0 ? GrammarNode.Nothing : _json.Enclosed("[", item, "]", 0, 0)) : _json.Enclosed("[", item, "]", min, max);
        }

        if (max < first.Count)
            throw new GrammarException($"The schema at '{path}' has more 'prefixItems' than 'maxItems', which is not supported.");
        var parts = new List<GrammarNode> { GrammarNode.Text("["), _json.Space };
        for (int i = 0; i < first.Count; i++)
        {
            if (i > 0)
                parts.AddRange([GrammarNode.Text(","), _json.Space]);
            parts.AddRange([Visit(first[i], $"{path}/prefixItems/{i}", depth + 1), _json.Space]);
        }

        int moreMin = Math.Max(0, min - first.Count);
        // Nothing is said of further items: none come, unless they must.
        int? moreMax = isClosed ? 0 : hasItems || max is not null && moreMin > 0 ? max - first.Count : moreMin;
        if (moreMax < moreMin)
            return GrammarNode.Nothing;
        if (moreMax != 0)
        {
            GrammarNode more = hasItems ? Visit(items, path + "/items", depth + 1) : _json.Value;
            parts.Add(new GrammarNode.Repeat(GrammarNode.Of(GrammarNode.Text(","), _json.Space, more, _json.Space), moreMin, moreMax));
        }

        parts.Add(GrammarNode.Text("]"));
        return GrammarNode.Of([.. parts]);
    }

    private static string? Text(JsonObject schema, string keyword, string path)
    {
        if (!schema.TryGetPropertyValue(keyword, out JsonNode? node) || node is null)
            return null;
        return node is JsonValue value && value.GetValueKind() == JsonValueKind.String
            ? value.GetValue<string>()
            : throw new GrammarException($"The schema at '{path}' has '{keyword}': {Shorten(node)}; a string is expected.");
    }
}
