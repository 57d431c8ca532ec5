using System.Globalization;

namespace Hadal.Formats.Chat.Jinja;

/// <summary>Python's repr() of a float: the shortest digits that read back the same, exponents from 1e16 up and below 1e-4.</summary>
internal static class PythonFloat
{
    public static string Represent(double value)
    {
        if (double.IsNaN(value)) return "nan";
        if (double.IsInfinity(value)) return value > 0 ? "inf" : "-inf";
        // "E16" has 17 significant digits and is not the shortest; "R" is, in one of two notations.
        string text = value.ToString("R", CultureInfo.InvariantCulture);
        string sign = text[0] == '-' ? "-" : string.Empty;
        int mark = text.IndexOf('E');
        string mantissa = text[sign.Length..(mark < 0 ? text.Length : mark)];
        int exponent = mark < 0 ? 0 : int.Parse(text.AsSpan(mark + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        int point = mantissa.IndexOf('.');
        string digits = point < 0 ? mantissa : mantissa.Remove(point, 1);
        int scale = (point < 0 ? mantissa.Length : point) + exponent;
        string significant = digits.TrimStart('0');
        if (significant.Length == 0) return sign + "0.0";
        // value = 0.significant * 10^scale
        scale -= digits.Length - significant.Length;
        significant = significant.TrimEnd('0');
        if (scale is > 16 or < -3)
        {
            string fraction = significant.Length > 1 ? "." + significant[1..] : string.Empty;
            int power = scale - 1;
            return $"{sign}{significant[0]}{fraction}e{(power < 0 ? '-' : '+')}{Math.Abs(power).ToString("00", CultureInfo.InvariantCulture)}";
        }

        if (scale <= 0) return $"{sign}0.{new string('0', -scale)}{significant}";
        if (significant.Length <= scale) return $"{sign}{significant.PadRight(scale, '0')}.0";
        return $"{sign}{significant[..scale]}.{significant[scale..]}";
    }
}
