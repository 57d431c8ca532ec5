using System.Globalization;
using System.Text;

namespace Hadal.Formats.Chat.Jinja;

/// <summary>The directives of Python's strftime that make sense in a prompt, in the C locale.</summary>
internal static class PythonTime
{
    public static string Format(DateTimeOffset time, string format)
    {
        var text = new StringBuilder();
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                text.Append(format[i]);
                continue;
            }

            // glibc: a dash drops the padding.
            bool bare = format[i + 1] == '-' && i + 2 < format.Length;
            if (bare) i++;
            string part = Directive(time, format[++i]);
            text.Append(bare && part.Length > 1 ? part.TrimStart('0') is { Length: > 0 } trimmed ? trimmed : "0" : part);
        }

        return text.ToString();
    }

    private static string Directive(DateTimeOffset time, char directive)
    {
        string Custom(string format) => time.ToString(format, CultureInfo.InvariantCulture);
        return directive switch
        {
            'Y' => Custom("yyyy"),
            'y' => Custom("yy"),
            'm' => Custom("MM"),
            'd' => Custom("dd"),
            'e' => time.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2),
            'B' => Custom("MMMM"),
            'b' or 'h' => Custom("MMM"),
            'A' => Custom("dddd"),
            'a' => Custom("ddd"),
            'H' => Custom("HH"),
            'I' => Custom("hh"),
            'M' => Custom("mm"),
            'S' => Custom("ss"),
            'p' => Custom("tt"),
            'f' => Custom("ffffff"),
            'j' => time.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
            'w' => ((int)time.DayOfWeek).ToString(CultureInfo.InvariantCulture),
            'F' => Custom("yyyy-MM-dd"),
            'T' => Custom("HH:mm:ss"),
            'D' or 'x' => Custom("MM/dd/yy").Replace(CultureInfo.InvariantCulture.DateTimeFormat.DateSeparator, "/"),
            'X' => Custom("HH:mm:ss"),
            'R' => Custom("HH:mm"),
            'c' => $"{Custom("ddd MMM")} {time.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2)} {Custom("HH:mm:ss yyyy")}",
            's' => time.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
            'n' => "\n",
            't' => "\t",
            '%' => "%",
            // transformers asks datetime.now() without a zone: empty there.
            'z' or 'Z' => string.Empty,
            _ => throw new JinjaException($"strftime_now does not know %{directive}"),
        };
    }
}
