using System.Buffers;
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Hadal.Numerics;

namespace Hadal.Cli.Session;

/// <summary>Times as people write them: 30s, 10m, 2h, 500ms; a number alone is seconds.</summary>
internal static class Duration
{
    private static readonly SearchValues<char> _digits = SearchValues.Create("0123456789.");

    public static TimeSpan? TryParse(string text)
    {
        string t = text.Trim();
        int split = t.AsSpan().IndexOfAnyExcept(_digits);
        string number = split < 0 ? t : t[..split];
        double? seconds = (split < 0 ? "" : t[split..]) switch
        {
            "ms" => 0.001,
            "" or "s" => 1,
            "m" or "min" => 60,
            "h" => 3600,
            _ => null,
        };
        return seconds is { } unit && double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value) && value * unit is > 0 and <= 86_400
            ? TimeSpan.FromSeconds(value * unit)
            : null;
    }

    /// <summary>Null where the option was not given.</summary>
    public static TimeSpan? Get(ParseResult parsed, Option<string?> option) => parsed.GetValue(option) is { } text
        ? TryParse(text) ?? throw new HadalException($"{option.Name} {text}: not a time.")
        : null;

    public static void IsDuration(this Option option)
    {
        option.Validators.Add(result =>
        {
            foreach (Token token in result.Tokens)
            {
                if (TryParse(token.Value) is null)
                {
                    result.AddError($"{option.Name} {token.Value}: not a time above zero and up to a day; write it like 30s, 10m or 2h");
                }
            }
        });
    }
}
