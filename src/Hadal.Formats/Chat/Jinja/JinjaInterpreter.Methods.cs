using System.Globalization;
using System.Text;

namespace Hadal.Formats.Chat.Jinja;

internal sealed partial class JinjaInterpreter
{
    /// <summary>A method of a value, or null when it has none of that name.</summary>
    private JinjaFunction? FindMethod(object? value, string name)
    {
        Func<JinjaCall, object?>? method = value switch
        {
            string text => StringMethod(text, name),
            JinjaDict dict => DictMethod(dict, name),
            JinjaList list => ListMethod(list, name),
            _ => null,
        };
        return method is null ? null : new JinjaFunction(name, method);
    }

    private static Func<JinjaCall, object?>? DictMethod(JinjaDict dict, string name) => name switch
    {
        "get" => call => call.Required(0, "key") is { } key && IsKey(key) && dict.Items.TryGetValue(key, out object? value) ? value : call.Optional(1, "default"),
        "items" => _ => Pairs(dict),
        "keys" => _ => new JinjaList([.. dict.Items.Keys]),
        "values" => _ => new JinjaList([.. dict.Items.Values]),
        "copy" => _ => dict,
        "clear" or "pop" or "popitem" or "setdefault" or "update" => Refuse(name),
        _ => null,
    };

    private Func<JinjaCall, object?>? ListMethod(JinjaList list, string name) => name switch
    {
        "index" => call => list.Items.FindIndex(i => AreEqual(i, call.Required(0, "value"))) is >= 0 and var index
            ? (long)index
            : throw new JinjaException("the value is not in the list"),
        "count" => call => (long)list.Items.Count(i => AreEqual(i, call.Required(0, "value"))),
        "copy" when !list.IsTuple => _ => list,
        "append" or "clear" or "extend" or "insert" or "pop" or "remove" or "reverse" or "sort" when !list.IsTuple => Refuse(name),
        _ => null,
    };

    // transformers renders in an ImmutableSandboxedEnvironment, where these are security errors.
    private static Func<JinjaCall, object?> Refuse(string name) => _ => throw new JinjaException($"'{name}' would change a value, which the sandbox forbids");

    private Func<JinjaCall, object?>? StringMethod(string text, string name) => name switch
    {
        "strip" => call => Strip(text, call.Optional(0, "chars"), start: true, end: true),
        "lstrip" => call => Strip(text, call.Optional(0, "chars"), start: true, end: false),
        "rstrip" => call => Strip(text, call.Optional(0, "chars"), start: false, end: true),
        "split" => call => Split(text, call),
        "rsplit" => call => SplitFromRight(text, call),
        "splitlines" => call => new JinjaList([.. SplitLines(text, IsTrue(call.Optional(0, "keepends", false)))]),
        "partition" => call => Partition(text, call.RequiredString(0, "sep"), fromRight: false),
        "rpartition" => call => Partition(text, call.RequiredString(0, "sep"), fromRight: true),
        "startswith" => call => Affix(text, call, (t, a) => t.StartsWith(a, StringComparison.Ordinal)),
        "endswith" => call => Affix(text, call, (t, a) => t.EndsWith(a, StringComparison.Ordinal)),
        "removeprefix" => call => call.RequiredString(0, "prefix") is var prefix && text.StartsWith(prefix, StringComparison.Ordinal) ? Make(text[prefix.Length..]) : text,
        "removesuffix" => call => call.RequiredString(0, "suffix") is var suffix && text.EndsWith(suffix, StringComparison.Ordinal) ? Make(text[..^suffix.Length]) : text,
        "replace" => call => Replace(text, call.RequiredString(0, "old"), call.RequiredString(1, "new"), call.Integer(2, "count", -1)),
        "upper" => _ => Make(text.ToUpperInvariant()),
        "lower" or "casefold" => _ => Make(text.ToLowerInvariant()),
        "capitalize" => _ => Make(Capitalize(text)),
        "title" => _ => Make(TitleMethod(text)),
        "swapcase" => _ => Make(string.Concat(text.Select(c => char.IsUpper(c) ? char.ToLowerInvariant(c) : char.ToUpperInvariant(c)))),
        "join" => call => JoinWith(text, call.Required(0, "iterable")),
        "find" => call => Find(text, call, fromRight: false),
        "rfind" => call => Find(text, call, fromRight: true),
        "index" => call => Find(text, call, fromRight: false) is >= 0 and var at ? at : throw new JinjaException("substring not found"),
        "count" => call => CountOf(text, call.RequiredString(0, "sub")),
        "format" => call => FormatBraces(text, call),
        "zfill" => call => Make(text.Length > 0 && text[0] is '-' or '+' ? text[0] + text[1..].PadLeft(Width(call) - 1, '0') : text.PadLeft(Width(call), '0')),
        "ljust" => call => Make(text.PadRight(Width(call), Filler(call))),
        "rjust" => call => Make(text.PadLeft(Width(call), Filler(call))),
        "center" => call => Make(Center(text, Width(call), Filler(call))),
        "isdigit" or "isdecimal" or "isnumeric" => _ => All(text, char.IsDigit),
        "isalpha" => _ => All(text, char.IsLetter),
        "isalnum" => _ => All(text, char.IsLetterOrDigit),
        "isspace" => _ => All(text, char.IsWhiteSpace),
        "isupper" => _ => IsCased(text, char.IsUpper, char.IsLower),
        "islower" => _ => IsCased(text, char.IsLower, char.IsUpper),
        _ => null,
    };

    private static bool All(string text, Func<char, bool> holds) => text.Length > 0 && text.All(holds);

    private int Width(JinjaCall call)
    {
        long width = call.Integer(0, "width", 0);
        Charge(Math.Max(0, width));
        return (int)Math.Max(0, width);
    }

    private static char Filler(JinjaCall call) => call.Optional(1, "fillchar", " ") is string { Length: 1 } filler ? filler[0] : throw new JinjaException("the fill character is one character");

    // CPython puts the odd space on the left when the width is odd.
    private static string Center(string text, int width, char filler)
    {
        int missing = width - text.Length;
        if (missing <= 0) return text;
        int left = (missing / 2) + (missing & width & 1);
        return new string(filler, left) + text + new string(filler, missing - left);
    }

    private string Strip(string text, object? chars, bool start, bool end)
    {
        string? set = chars switch
        {
            null => null,
            string s => s,
            _ => throw new JinjaException($"strip takes a string of characters, not {TypeName(chars)}"),
        };
        int from = 0, to = text.Length;
        while (start && from < to && Strips(text[from])) from++;
        while (end && to > from && Strips(text[to - 1])) to--;
        return to - from == text.Length ? text : Make(text[from..to]);

        // Python strips the information separators U+001C..U+001F too, which .NET does not call white space.
        bool Strips(char c) => set is null ? char.IsWhiteSpace(c) || c is >= '\u001C' and <= '\u001F' : set.Contains(c);
    }

    private JinjaList Split(string text, JinjaCall call)
    {
        object? separator = call.Optional(0, "sep");
        long limit = call.Integer(1, "maxsplit", -1);
        Charge(text.Length);
        var parts = new List<object?>();
        if (separator is null)
        {
            int at = 0;
            while (true)
            {
                while (at < text.Length && char.IsWhiteSpace(text[at])) at++;
                if (at == text.Length) break;
                int end = at;
                if (limit >= 0 && parts.Count >= limit)
                {
                    parts.Add(text[at..]);
                    break;
                }

                while (end < text.Length && !char.IsWhiteSpace(text[end])) end++;
                parts.Add(text[at..end]);
                at = end;
            }
        }
        else
        {
            string by = call.RequiredString(0, "sep");
            if (by.Length == 0) throw new JinjaException("split by an empty string");
            int at = 0;
            for (int next; (limit < 0 || parts.Count < limit) && (next = text.IndexOf(by, at, StringComparison.Ordinal)) >= 0; at = next + by.Length) parts.Add(text[at..next]);
            parts.Add(text[at..]);
        }

        ChargeItems(parts.Count);
        return new JinjaList(parts);
    }

    private JinjaList SplitFromRight(string text, JinjaCall call)
    {
        long limit = call.Integer(1, "maxsplit", -1);
        if (limit < 0) return Split(text, call);
        Charge(text.Length);
        var parts = new List<object?>();
        int end = text.Length;
        if (call.Optional(0, "sep") is null)
        {
            while (true)
            {
                while (end > 0 && char.IsWhiteSpace(text[end - 1])) end--;
                if (end == 0) break;
                if (parts.Count >= limit)
                {
                    parts.Add(text[..end]);
                    break;
                }

                int begin = end;
                while (begin > 0 && !char.IsWhiteSpace(text[begin - 1])) begin--;
                parts.Add(text[begin..end]);
                end = begin;
            }
        }
        else
        {
            string by = call.RequiredString(0, "sep");
            if (by.Length == 0) throw new JinjaException("split by an empty string");
            while (parts.Count < limit)
            {
                int at = text.AsSpan(0, end).LastIndexOf(by);
                if (at < 0) break;
                parts.Add(text[(at + by.Length)..end]);
                end = at;
            }

            parts.Add(text[..end]);
        }

        parts.Reverse();
        ChargeItems(parts.Count);
        return new JinjaList(parts);
    }

    // The line ends of Python's str.splitlines.
    private static List<string> SplitLines(string text, bool keepEnds)
    {
        var lines = new List<string>();
        int start = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] is not ('\n' or '\r' or '\v' or '\f' or (>= '\u001C' and <= '\u001E') or '\u0085' or '\u2028' or '\u2029')) continue;
            int end = i;
            if (text[i] == '\r' && i + 1 < text.Length && text[i + 1] == '\n') i++;
            lines.Add(text[start..(keepEnds ? i + 1 : end)]);
            start = i + 1;
        }

        if (start < text.Length) lines.Add(text[start..]);
        return lines;
    }

    private JinjaList Partition(string text, string separator, bool fromRight)
    {
        if (separator.Length == 0) throw new JinjaException("partition by an empty string");
        Charge(text.Length);
        int at = fromRight ? text.LastIndexOf(separator, StringComparison.Ordinal) : text.IndexOf(separator, StringComparison.Ordinal);
        object?[] parts = at >= 0 ? [text[..at], separator, text[(at + separator.Length)..]]
            : fromRight ? [string.Empty, string.Empty, text]
            : [text, string.Empty, string.Empty];
        return new JinjaList([.. parts], isTuple: true);
    }

    private static bool Affix(string text, JinjaCall call, Func<string, string, bool> matches)
    {
        if (call.Count > 1) text = text[PythonIndex(text, call.Integer(1, "start", 0))..Math.Max(PythonIndex(text, call.Integer(1, "start", 0)), PythonIndex(text, call.Integer(2, "end", text.Length)))];
        return call.Required(0, "affix") switch
        {
            string affix => matches(text, affix),
            JinjaList { IsTuple: true } several => several.Items.Exists(a => a is string affix && matches(text, affix)),
            var other => throw new JinjaException($"{call.Name} needs a string or a tuple of strings, not {TypeName(other)}"),
        };
    }

    private static int PythonIndex(string text, long index) => (int)Math.Clamp(index < 0 ? index + text.Length : index, 0, text.Length);

    private string Replace(string text, string old, string replacement, long count)
    {
        Charge(text.Length);
        if (count == 0) return text;
        int occurrences = old.Length == 0 ? text.Length + 1 : text.AsSpan().Count(old);
        if (count > 0) occurrences = (int)Math.Min(occurrences, count);
        Charge((long)occurrences * replacement.Length);
        var result = new StringBuilder();
        int at = 0;
        if (old.Length == 0)
        {
            // Python puts the replacement before each character and at the end.
            for (int i = 0; i < occurrences; i++)
            {
                result.Append(replacement);
                if (at < text.Length) result.Append(text[at++]);
            }

            return result.Append(text, at, text.Length - at).ToString();
        }

        for (int i = 0; i < occurrences; i++)
        {
            int next = text.IndexOf(old, at, StringComparison.Ordinal);
            result.Append(text, at, next - at).Append(replacement);
            at = next + old.Length;
        }

        return result.Append(text, at, text.Length - at).ToString();
    }

    // A letter behind anything that is no letter begins a word.
    private static string TitleMethod(string text)
    {
        var result = new StringBuilder(text.Length);
        bool starts = true;
        foreach (char c in text)
        {
            result.Append(starts ? char.ToUpperInvariant(c) : char.ToLowerInvariant(c));
            starts = !char.IsLetter(c);
        }

        return result.ToString();
    }

    private string JoinWith(string separator, object? values)
    {
        var text = new StringBuilder();
        bool first = true;
        foreach (object? item in Iterate(values))
        {
            if (item is not string part) throw new JinjaException($"join needs strings, not {TypeName(item)}");
            Charge(part.Length + separator.Length);
            if (!first) text.Append(separator);
            first = false;
            text.Append(part);
        }

        return text.ToString();
    }

    private long Find(string text, JinjaCall call, bool fromRight)
    {
        string sub = call.RequiredString(0, "sub");
        int start = PythonIndex(text, call.Integer(1, "start", 0)), end = PythonIndex(text, call.Integer(2, "end", text.Length));
        Charge(text.Length / 16);
        if (end < start) return -1;
        ReadOnlySpan<char> part = text.AsSpan(start, end - start);
        int at = fromRight ? part.LastIndexOf(sub) : part.IndexOf(sub);
        return at < 0 ? -1 : LengthInCodePoints(text[..(start + at)]);
    }

    private long CountOf(string text, string sub)
    {
        Charge(text.Length / 16);
        return sub.Length == 0 ? LengthInCodePoints(text) + 1 : text.AsSpan().Count(sub);
    }

    /// <summary>str.format with plain fields: {}, {0}, {name}.</summary>
    private string FormatBraces(string format, JinjaCall call)
    {
        var text = new StringBuilder();
        int next = 0;
        for (int i = 0; i < format.Length; i++)
        {
            char c = format[i];
            if (c is '{' or '}' && i + 1 < format.Length && format[i + 1] == c)
            {
                text.Append(c);
                i++;
                continue;
            }

            if (c == '}') throw new JinjaException("a single '}' in a format");
            if (c != '{')
            {
                text.Append(c);
                continue;
            }

            int close = format.IndexOf('}', i);
            if (close < 0) throw new JinjaException("a single '{' in a format");
            string field = format[(i + 1)..close];
            object? value;
            bool found;
            if (field.Length == 0) found = call.TryGet(next++, string.Empty, out value);
            else if (int.TryParse(field, NumberStyles.None, CultureInfo.InvariantCulture, out int index)) found = call.TryGet(index, string.Empty, out value);
            else if (field.All(ch => char.IsLetterOrDigit(ch) || ch == '_')) found = call.Named.TryGetValue(field, out value);
            else throw new JinjaException($"the format field {{{field}}} is not supported");
            if (!found) throw new JinjaException($"the format field {{{field}}} has no value");
            string part = ToText(value);
            Charge(part.Length);
            text.Append(part);
            i = close;
        }

        return text.ToString();
    }
}
