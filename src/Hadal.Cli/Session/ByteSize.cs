using System.Buffers;
using System.Globalization;
using Hadal.Numerics;

namespace Hadal.Cli.Session;

/// <summary>Sizes as people write them: 2GiB, 512MB, 1.5G.</summary>
internal static class ByteSize
{
    private static readonly SearchValues<char> _digits = SearchValues.Create("0123456789.");

    public static long Parse(string text, string option)
    {
        string t = text.Trim();
        int split = t.AsSpan().IndexOfAnyExcept(_digits);
        string number = split < 0 ? t : t[..split];
        string unit = split < 0 ? "" : t[split..].Trim().ToUpperInvariant();
        double? scale = unit switch
        {
            "" or "B" => 1,
            "K" or "KIB" => 1L << 10,
            "M" or "MIB" => 1L << 20,
            "G" or "GIB" => 1L << 30,
            "T" or "TIB" => 1L << 40,
            "KB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            "TB" => 1e12,
            _ => null,
        };
        if (scale is null || !double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value) || value * scale is not (>= 1 and < 1L << 60))
        {
            throw new HadalException($"{option} {text}: not a size; write it like 2GiB, 512MiB or 1.5GB.");
        }

        return (long)(value * scale.Value);
    }
}
