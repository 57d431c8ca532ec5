using System.Globalization;
using System.Text;

namespace Hadal.Formats.Chat.Jinja;

internal sealed partial class JinjaInterpreter
{
    private object? ApplyFilter(string name, object? value, JinjaCall call)
    {
        switch (name)
        {
            case "default" or "d":
                return value is JinjaUndefined || (IsTrue(call.Optional(1, "boolean", false)) && !IsTrue(value)) ? call.Optional(0, "default_value", string.Empty) : value;
            case "tojson":
                // transformers' own filter: its first argument is ensure_ascii, which it ignores when false.
                if (IsTrue(call.Optional(0, "ensure_ascii"))) throw new JinjaException("tojson with ensure_ascii is not supported");
                return ToJson(value, call);
            case "trim":
                return Strip(ToText(value), call.Optional(0, "chars"), start: true, end: true);
            case "length" or "count":
                return (long)LengthOf(value);
            case "upper":
                return Make(ToText(value).ToUpperInvariant());
            case "lower":
                return Make(ToText(value).ToLowerInvariant());
            case "capitalize":
                return Make(Capitalize(ToText(value)));
            case "title":
                return Make(TitleFilter(ToText(value)));
            case "string" or "safe":
                return ToText(value);
            case "escape" or "e":
                return Make(ToText(value).Replace("&", "&amp;").Replace("<", "&lt;").Replace(">", "&gt;").Replace("\"", "&#34;").Replace("'", "&#39;"));
            case "replace":
                return Replace(ToText(value), ToText(call.Required(0, "old")), ToText(call.Required(1, "new")), call.Integer(2, "count", -1));
            case "indent":
                return Indent(ToText(value), call);
            case "format":
                return FormatPercent(ToText(value), call.Named.Count > 0 ? NamedArguments(call) : new JinjaList(call.Positional, isTuple: true));
            case "wordcount":
                return (long)ToText(value).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length;
            case "int":
                return ToInteger(value, call);
            case "float":
                return IsNumber(value) ? ToDouble(value)
                    : value is string text && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double parsed) ? parsed
                    : call.Optional(0, "default", 0.0);
            case "abs":
                return value switch
                {
                    long.MinValue => throw new JinjaException("abs gives a number that is too large"),
                    long l => (object)Math.Abs(l),
                    double d => Math.Abs(d),
                    bool b => b ? 1L : 0L,
                    _ => throw new JinjaException($"abs needs a number, not {TypeName(value)}"),
                };
            case "round":
                return Round(value, call);
            case "first":
                List<object?> firsts = Iterate(value);
                return firsts.Count > 0 ? firsts[0] : new JinjaUndefined("there is no first item: the sequence is empty");
            case "last":
                List<object?> lasts = Iterate(value);
                return lasts.Count > 0 ? lasts[^1] : new JinjaUndefined("there is no last item: the sequence is empty");
            case "join":
                return Join(value, call);
            case "list":
                return new JinjaList([.. Iterate(value)]);
            case "items":
                return value is JinjaUndefined ? new JinjaList([])
                    : value is JinjaDict dict ? Pairs(dict)
                    : throw new JinjaException($"items needs a dict, not {TypeName(value)}");
            case "dictsort":
                return SortDict(value, call);
            case "reverse":
                if (value is string reversible)
                {
                    List<string> points = CodePoints(reversible);
                    points.Reverse();
                    return Make(string.Concat(points));
                }

                List<object?> reversed = [.. Iterate(value)];
                reversed.Reverse();
                return new JinjaList(reversed);
            case "sort":
                return Sort(Iterate(value), KeyOf(call, 2, 1), IsTrue(call.Optional(0, "reverse", false)));
            case "unique":
                return Unique(Iterate(value), KeyOf(call, 1, 0));
            case "min" or "max":
                JinjaList sorted = Sort(Iterate(value), KeyOf(call, 1, 0), reverse: name == "max");
                return sorted.Items.Count > 0 ? sorted.Items[0] : new JinjaUndefined($"there is no {name}: the sequence is empty");
            case "sum":
                return Sum(value, call);
            case "map":
                return Map(value, call);
            case "select" or "reject":
                return Select(value, call, wanted: name == "select", byAttribute: false);
            case "selectattr" or "rejectattr":
                return Select(value, call, wanted: name == "selectattr", byAttribute: true);
            case "attr":
                return value is JinjaUndefined undefined ? throw new JinjaException(undefined.Reason)
                    : value is JinjaDict methods ? (object?)FindMethod(methods, call.RequiredString(0, "name")) ?? Missing(value, call.RequiredString(0, "name"))
                    : GetAttribute(value, call.RequiredString(0, "name"));
            case "batch":
                return Batch(Iterate(value), call);
            case "groupby":
                return GroupBy(Iterate(value), call);
            default:
                throw new JinjaException($"the filter '{name}' is not known");
        }
    }

    private string Make(string text)
    {
        Charge(text.Length);
        return text;
    }

    private static int LengthOf(object? value) => value switch
    {
        string text => LengthInCodePoints(text),
        JinjaList list => list.Items.Count,
        JinjaDict dict => dict.Items.Count,
        JinjaUndefined => 0,
        _ => throw new JinjaException($"{TypeName(value)} has no length"),
    };

    private static JinjaDict NamedArguments(JinjaCall call)
    {
        var dict = new JinjaDict();
        foreach ((string key, object? value) in call.Named) dict.Items[key] = value;
        return dict;
    }

    private static JinjaList Pairs(JinjaDict dict)
    {
        var pairs = new List<object?>(dict.Items.Count);
        foreach ((object key, object? value) in dict.Items) pairs.Add(new JinjaList([key, value], isTuple: true));
        return new JinjaList(pairs);
    }

    private static string Capitalize(string text) => text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text[1..].ToLowerInvariant();

    // Words begin behind white space, '-', '(', '[', '{' and '<'.
    private static string TitleFilter(string text)
    {
        var result = new StringBuilder(text.Length);
        bool starts = true;
        foreach (char c in text)
        {
            bool boundary = char.IsWhiteSpace(c) || c is '-' or '(' or '[' or '{' or '<';
            result.Append(boundary ? c : starts ? char.ToUpperInvariant(c) : char.ToLowerInvariant(c));
            starts = boundary;
        }

        return result.ToString();
    }

    private string Indent(string text, JinjaCall call)
    {
        string indent = call.Optional(0, "width", 4L) is string custom ? custom : new string(' ', (int)Math.Clamp(call.Integer(0, "width", 4), 0, 1000));
        bool first = IsTrue(call.Optional(1, "first", false)), blank = IsTrue(call.Optional(2, "blank", false));
        // Jinja appends a newline before cutting, so that a final one survives.
        List<string> lines = SplitLines(text + "\n", keepEnds: false);
        Charge(text.Length + ((long)lines.Count * indent.Length));
        var result = new StringBuilder(first ? indent : string.Empty);
        for (int i = 0; i < lines.Count; i++)
        {
            if (i > 0)
            {
                result.Append('\n');
                if (blank || lines[i].Length > 0) result.Append(indent);
            }

            result.Append(lines[i]);
        }

        return result.ToString();
    }

    private static object? ToInteger(object? value, JinjaCall call)
    {
        object? fallback = call.Optional(0, "default", 0L);
        switch (value)
        {
            case long or System.Numerics.BigInteger:
                return value;
            case bool b:
                return b ? 1L : 0L;
            case double d:
                return double.IsFinite(d) && Math.Abs(d) < 9e18 ? (long)d : fallback;
            case string text:
                string trimmed = text.Trim().Replace("_", string.Empty);
                long radix = call.Integer(1, "base", 10);
                if (radix == 16 && long.TryParse(trimmed.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? trimmed[2..] : trimmed, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out long hex)) return hex;
                if (radix != 10) return fallback;
                if (long.TryParse(trimmed, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long integer)) return integer;
                return double.TryParse(trimmed, NumberStyles.Float, CultureInfo.InvariantCulture, out double parsed) && Math.Abs(parsed) < 9e18 ? (long)parsed : fallback;
            default:
                return fallback;
        }
    }

    private static object Round(object? value, JinjaCall call)
    {
        if (!IsNumber(value)) throw new JinjaException($"round needs a number, not {TypeName(value)}");
        int precision = (int)Math.Clamp(call.Integer(0, "precision", 0), 0, 15);
        double number = ToDouble(value), factor = Math.Pow(10, precision);
        return call.Optional(1, "method", "common") switch
        {
            "common" when value is long or bool => ToLong(value),
            "common" => (object)Math.Round(number, precision, MidpointRounding.ToEven),
            "ceil" => Math.Ceiling(number * factor) / factor,
            "floor" => Math.Floor(number * factor) / factor,
            _ => throw new JinjaException("round's method is common, ceil or floor"),
        };
    }

    private string Join(object? value, JinjaCall call)
    {
        string separator = ToText(call.Optional(0, "d", string.Empty));
        object? attribute = call.Optional(1, "attribute");
        var text = new StringBuilder();
        bool first = true;
        foreach (object? item in Iterate(value))
        {
            string part = ToText(attribute is null ? item : GetPath(item, attribute));
            Charge(part.Length + separator.Length);
            if (!first) text.Append(separator);
            first = false;
            text.Append(part);
        }

        return text.ToString();
    }

    /// <summary>'a.b.0' as an attribute argument: names and indices with dots between them.</summary>
    private object? GetPath(object? value, object? path)
    {
        if (path is not string text) return GetItem(value, path);
        foreach (string part in text.Split('.'))
        {
            value = part.Length > 0 && part.All(char.IsAsciiDigit) && part.Length < 10 ? GetItem(value, long.Parse(part, CultureInfo.InvariantCulture)) : GetItem(value, part);
        }

        return value;
    }

    private Func<object?, object?> KeyOf(JinjaCall call, int attributeIndex, int caseIndex)
    {
        object? attribute = call.Optional(attributeIndex, "attribute");
        bool caseSensitive = IsTrue(call.Optional(caseIndex, "case_sensitive", false));
        if (attribute is string several && several.Contains(','))
        {
            return item => new JinjaList([.. several.Split(',').Select(a => Fold(GetPath(item, a)))]);
        }

        return item => Fold(attribute is null ? item : GetPath(item, attribute));

        object? Fold(object? key) => !caseSensitive && key is string text ? Make(text.ToLowerInvariant()) : key;
    }

    private JinjaList Sort(List<object?> items, Func<object?, object?> key, bool reverse)
    {
        (object? Key, object? Item)[] keyed = [.. items.Select(i => (key(i), i))];
        // A stable order, in reverse too: equal items keep their places.
        IEnumerable<(object? Key, object? Item)> ordered = keyed.OrderBy(k => k.Key, Comparer<object?>.Create(reverse ? (a, b) => Compare(b, a) : Compare));
        try
        {
            return new JinjaList([.. ordered.Select(k => k.Item)]);
        }
        catch (InvalidOperationException e) when (e.InnerException is JinjaException inner)
        {
            throw new JinjaException(inner.Message, e);
        }
    }

    private JinjaList SortDict(object? value, JinjaCall call)
    {
        if (value is not JinjaDict dict) throw new JinjaException($"dictsort needs a dict, not {TypeName(value)}");
        long position = call.Optional(1, "by", "key") switch
        {
            "key" => 0,
            "value" => 1,
            _ => throw new JinjaException("dictsort's by is key or value"),
        };
        bool caseSensitive = IsTrue(call.Optional(0, "case_sensitive", false));
        return Sort(
            Pairs(dict).Items,
            pair => ((JinjaList)pair!).Items[(int)position] is string text && !caseSensitive ? text.ToLowerInvariant() : ((JinjaList)pair!).Items[(int)position],
            IsTrue(call.Optional(2, "reverse", false)));
    }

    private JinjaList Unique(List<object?> items, Func<object?, object?> key)
    {
        var kept = new List<object?>();
        var seenKeys = new HashSet<string>();
        var seen = new List<object?>();
        foreach (object? item in items)
        {
            object? itemKey = key(item);
            if (itemKey is string text ? !seenKeys.Add(text) : seen.Exists(s => AreEqual(s, itemKey))) continue;
            if (itemKey is not string) seen.Add(itemKey);
            kept.Add(item);
        }

        return new JinjaList(kept);
    }

    private object? Sum(object? value, JinjaCall call)
    {
        object? attribute = call.Optional(0, "attribute");
        object? total = call.Optional(1, "start", 0L);
        foreach (object? item in Iterate(value)) total = ApplyOperator("+", total, attribute is null ? item : GetPath(item, attribute));
        return total;
    }

    private JinjaList Map(object? value, JinjaCall call)
    {
        var result = new List<object?>();
        if (call.Positional.Count == 0 && call.Named.TryGetValue("attribute", out object? attribute))
        {
            bool hasDefault = call.Named.TryGetValue("default", out object? fallback);
            foreach (object? item in Iterate(value))
            {
                object? found = GetPath(item, attribute);
                result.Add(hasDefault && found is JinjaUndefined ? fallback : found);
            }

            return new JinjaList(result);
        }

        string filter = call.RequiredString(0, "filter");
        var inner = new JinjaCall(filter, call.Positional[1..], call.Named);
        foreach (object? item in Iterate(value)) result.Add(ApplyFilter(filter, item, inner));
        return new JinjaList(result);
    }

    private JinjaList Select(object? value, JinjaCall call, bool wanted, bool byAttribute)
    {
        int testIndex = byAttribute ? 1 : 0;
        object? attribute = byAttribute ? call.Required(0, "attribute") : null;
        string? test = call.Positional.Count > testIndex ? call.RequiredString(testIndex, "test") : null;
        var inner = new JinjaCall(test ?? string.Empty, test is null ? [] : call.Positional[(testIndex + 1)..], call.Named);
        var kept = new List<object?>();
        foreach (object? item in Iterate(value))
        {
            object? subject = byAttribute ? GetPath(item, attribute) : item;
            if ((test is null ? IsTrue(subject) : ApplyTest(test, subject, inner)) == wanted) kept.Add(item);
        }

        return new JinjaList(kept);
    }

    private static JinjaList Batch(List<object?> items, JinjaCall call)
    {
        int count = (int)Math.Clamp(call.Integer(0, "linecount", 1), 1, int.MaxValue);
        bool fills = call.TryGet(1, "fill_with", out object? filler) && filler is not null;
        var batches = new List<object?>();
        foreach (object?[] chunk in items.Chunk(count))
        {
            var batch = new List<object?>(chunk);
            while (fills && batch.Count < count && count < 10_000) batch.Add(filler);
            batches.Add(new JinjaList(batch));
        }

        return new JinjaList(batches);
    }

    private JinjaList GroupBy(List<object?> items, JinjaCall call)
    {
        object? attribute = call.Required(0, "attribute");
        var groups = new List<object?>();
        List<object?>? current = null;
        object? currentKey = null;
        foreach (object? item in Sort(items, i => GetPath(i, attribute), reverse: false).Items)
        {
            object? key = GetPath(item, attribute);
            if (current is null || !AreEqual(key, currentKey))
            {
                current = [];
                currentKey = key;
                groups.Add(new JinjaList([key, new JinjaList(current)], isTuple: true));
            }

            current.Add(item);
        }

        return new JinjaList(groups);
    }
}
