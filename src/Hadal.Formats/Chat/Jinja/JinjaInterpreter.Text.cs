using System.Globalization;
using System.Numerics;
using System.Text;

namespace Hadal.Formats.Chat.Jinja;

internal sealed partial class JinjaInterpreter
{
    /// <summary>Python's str().</summary>
    private string ToText(object? value)
    {
        switch (value)
        {
            case string text:
                return text;
            case JinjaUndefined:
                return string.Empty;
            default:
                return Represent(value);
        }
    }

    /// <summary>Python's repr().</summary>
    private string Represent(object? value)
    {
        var text = new StringBuilder();
        AppendRepresentation(text, value);
        return text.ToString();
    }

    private void AppendRepresentation(StringBuilder text, object? value)
    {
        Step(_line);
        switch (value)
        {
            case null:
                text.Append("None");
                break;
            case bool b:
                text.Append(b ? "True" : "False");
                break;
            case long l:
                text.Append(l.ToString(CultureInfo.InvariantCulture));
                break;
            case BigInteger big:
                text.Append(big.ToString(CultureInfo.InvariantCulture));
                break;
            case double d:
                text.Append(PythonFloat.Represent(d));
                break;
            case string s:
                Charge(s.Length);
                AppendQuoted(text, s);
                break;
            case JinjaUndefined:
                text.Append("Undefined");
                break;
            case JinjaList list:
                text.Append(list.IsTuple ? '(' : '[');
                for (int i = 0; i < list.Items.Count; i++)
                {
                    if (i > 0) text.Append(", ");
                    AppendRepresentation(text, list.Items[i]);
                }

                if (list.IsTuple && list.Items.Count == 1) text.Append(',');
                text.Append(list.IsTuple ? ')' : ']');
                break;
            case JinjaDict dict:
                text.Append('{');
                bool first = true;
                foreach ((object key, object? item) in dict.Items)
                {
                    if (!first) text.Append(", ");
                    first = false;
                    AppendRepresentation(text, key);
                    text.Append(": ");
                    AppendRepresentation(text, item);
                }

                text.Append('}');
                break;
            case JinjaNamespace space:
                text.Append("<Namespace {");
                bool firstAttribute = true;
                foreach ((string name, object? attribute) in space.Attributes)
                {
                    if (!firstAttribute) text.Append(", ");
                    firstAttribute = false;
                    AppendQuoted(text, name);
                    text.Append(": ");
                    AppendRepresentation(text, attribute);
                }

                text.Append("}>");
                break;
            case JinjaFunction function:
                text.Append("<function ").Append(function.Name).Append('>');
                break;
            default:
                text.Append("<LoopContext>");
                break;
        }
    }

    private static void AppendQuoted(StringBuilder text, string value)
    {
        char quote = value.Contains('\'') && !value.Contains('"') ? '"' : '\'';
        text.Append(quote);
        foreach (Rune rune in value.EnumerateRunes())
        {
            switch (rune.Value)
            {
                case '\n':
                    text.Append("\\n");
                    break;
                case '\r':
                    text.Append("\\r");
                    break;
                case '\t':
                    text.Append("\\t");
                    break;
                case '\\':
                    text.Append("\\\\");
                    break;
                case var c when c == quote:
                    text.Append('\\').Append(quote);
                    break;
                case ' ':
                    text.Append(' ');
                    break;
                default:
                    if (IsPrintable(rune)) text.Append(rune.ToString());
                    else if (rune.Value <= 0xFF) text.Append("\\x").Append(rune.Value.ToString("x2", CultureInfo.InvariantCulture));
                    else if (rune.Value <= 0xFFFF) text.Append("\\u").Append(rune.Value.ToString("x4", CultureInfo.InvariantCulture));
                    else text.Append("\\U").Append(rune.Value.ToString("x8", CultureInfo.InvariantCulture));
                    break;
            }
        }

        text.Append(quote);
    }

    private static bool IsPrintable(Rune rune) => Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);

    /// <summary>json.dumps(value, ensure_ascii=False, indent, separators, sort_keys).</summary>
    private string ToJson(object? value, JinjaCall call)
    {
        string? indent = call.Optional(1, "indent") switch
        {
            null => null,
            long count => new string(' ', (int)Math.Clamp(count, 0, 100)),
            bool b => b ? " " : string.Empty,
            string s => s,
            object other => throw new JinjaException($"tojson's indent cannot be {TypeName(other)}"),
        };
        (string comma, string colon) = indent is null ? (", ", ": ") : (",", ": ");
        if (call.Optional(2, "separators") is { } separators)
        {
            List<object?> parts = Iterate(separators);
            if (parts.Count != 2) throw new JinjaException("tojson's separators are two strings");
            (comma, colon) = (ToText(parts[0]), ToText(parts[1]));
        }

        var text = new StringBuilder();
        AppendJson(text, value, indent, 0, comma, colon, IsTrue(call.Optional(3, "sort_keys")));
        return text.ToString();
    }

    private void AppendJson(StringBuilder text, object? value, string? indent, int depth, string comma, string colon, bool sortKeys)
    {
        Step(_line);
        switch (value)
        {
            case null:
                text.Append("null");
                break;
            case bool b:
                text.Append(b ? "true" : "false");
                break;
            case double d:
                text.Append(double.IsNaN(d) ? "NaN" : double.IsInfinity(d) ? (d > 0 ? "Infinity" : "-Infinity") : PythonFloat.Represent(d));
                break;
            case string s:
                Charge(s.Length);
                AppendJsonString(text, s);
                break;
            case JinjaList list:
                text.Append('[');
                for (int i = 0; i < list.Items.Count; i++)
                {
                    if (i > 0) text.Append(comma);
                    AppendBreak(text, indent, depth + 1);
                    AppendJson(text, list.Items[i], indent, depth + 1, comma, colon, sortKeys);
                }

                if (list.Items.Count > 0) AppendBreak(text, indent, depth);
                text.Append(']');
                break;
            case JinjaDict dict:
                text.Append('{');
                IEnumerable<KeyValuePair<object, object?>> items = sortKeys ? dict.Items.Order(Comparer<KeyValuePair<object, object?>>.Create((a, b) => Compare(a.Key, b.Key))) : dict.Items;
                bool first = true;
                foreach ((object key, object? item) in items)
                {
                    if (!first) text.Append(comma);
                    first = false;
                    AppendBreak(text, indent, depth + 1);
                    AppendJsonString(text, key is bool b ? (b ? "true" : "false") : ToText(key));
                    text.Append(colon);
                    AppendJson(text, item, indent, depth + 1, comma, colon, sortKeys);
                }

                if (dict.Items.Count > 0) AppendBreak(text, indent, depth);
                text.Append('}');
                break;
            case long or BigInteger:
                text.Append(ToText(value));
                break;
            default:
                throw new JinjaException($"tojson cannot write {TypeName(value)}");
        }
    }

    private void AppendBreak(StringBuilder text, string? indent, int depth)
    {
        if (indent is null) return;
        Charge((long)indent.Length * depth);
        text.Append('\n');
        for (int i = 0; i < depth; i++) text.Append(indent);
    }

    private static void AppendJsonString(StringBuilder text, string value)
    {
        text.Append('"');
        foreach (char c in value)
        {
            switch (c)
            {
                case '"':
                    text.Append("\\\"");
                    break;
                case '\\':
                    text.Append("\\\\");
                    break;
                case '\n':
                    text.Append("\\n");
                    break;
                case '\r':
                    text.Append("\\r");
                    break;
                case '\t':
                    text.Append("\\t");
                    break;
                case '\b':
                    text.Append("\\b");
                    break;
                case '\f':
                    text.Append("\\f");
                    break;
                case < ' ':
                    text.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture));
                    break;
                default:
                    text.Append(c);
                    break;
            }
        }

        text.Append('"');
    }

    /// <summary>Python's printf-like formatting: the % operator and the format filter.</summary>
    private string FormatPercent(string format, object? argument)
    {
        List<object?> values = argument is JinjaList { IsTuple: true } tuple ? tuple.Items : [argument];
        var text = new StringBuilder();
        int next = 0;
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%')
            {
                text.Append(format[i]);
                continue;
            }

            i++;
            object? value = null;
            bool hasValue = false;
            if (i < format.Length && format[i] == '(')
            {
                int close = format.IndexOf(')', i);
                if (close < 0 || argument is not JinjaDict named) throw new JinjaException("%(name) needs a closed name and a dict");
                if (!named.Items.TryGetValue(format[(i + 1)..close], out value)) throw new JinjaException($"the dict has no '{format[(i + 1)..close]}'");
                hasValue = true;
                i = close + 1;
            }

            bool left = false, zero = false, plus = false;
            for (; i < format.Length && format[i] is '-' or '0' or '+' or ' '; i++)
            {
                left |= format[i] == '-';
                zero |= format[i] == '0';
                plus |= format[i] == '+';
            }

            int width = 0, precision = -1;
            for (; i < format.Length && char.IsAsciiDigit(format[i]); i++) width = Math.Min(10_000, (width * 10) + (format[i] - '0'));
            if (i < format.Length && format[i] == '.')
            {
                precision = 0;
                for (i++; i < format.Length && char.IsAsciiDigit(format[i]); i++) precision = Math.Min(100, (precision * 10) + (format[i] - '0'));
            }

            if (i >= format.Length) throw new JinjaException("a format ends in the middle of a directive");
            if (format[i] == '%')
            {
                text.Append('%');
                continue;
            }

            if (!hasValue)
            {
                if (next >= values.Count) throw new JinjaException("a format has more directives than values");
                value = values[next++];
            }

            string part = FormatOne(format[i], value, precision, plus);
            bool numeric = format[i] is not ('s' or 'r');
            if (part.Length < width)
            {
                part = left ? part.PadRight(width)
                    : zero && numeric ? (part[0] is '-' or '+' ? part[0] + part[1..].PadLeft(width - 1, '0') : part.PadLeft(width, '0'))
                    : part.PadLeft(width);
            }

            Charge(part.Length);
            text.Append(part);
        }

        if (next < values.Count && argument is not JinjaDict) throw new JinjaException("a format has fewer directives than values");
        return text.ToString();
    }

    private string FormatOne(char directive, object? value, int precision, bool plus)
    {
        switch (directive)
        {
            case 's' or 'r':
                string text = directive == 's' ? ToText(value) : Represent(value);
                return precision >= 0 && precision < text.Length ? text[..precision] : text;
            case 'd' or 'i' or 'x' or 'X' or 'f' or 'F' when !IsNumber(value):
                throw new JinjaException($"%{directive} needs a number, not {TypeName(value)}");
            case 'd' or 'i':
                string digits = value is double d ? Math.Truncate(d).ToString("F0", CultureInfo.InvariantCulture) : ToLong(value).ToString(CultureInfo.InvariantCulture);
                return plus && digits[0] != '-' ? "+" + digits : digits;
            case 'x' or 'X' when value is not double:
                return ToLong(value).ToString(directive.ToString(), CultureInfo.InvariantCulture);
            case 'f' or 'F':
                string fixedPoint = ToDouble(value).ToString("F" + (precision < 0 ? 6 : precision).ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
                return plus && fixedPoint[0] != '-' ? "+" + fixedPoint : fixedPoint;
            default:
                throw new JinjaException($"the format directive %{directive} is not supported");
        }
    }
}
