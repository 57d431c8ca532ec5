using System.Globalization;
using Hadal.Engine.Constraints.Automata;

namespace Hadal.Engine.Constraints.Sources;

/// <summary>Numbers within bounds, written in digits.</summary>
internal static class NumberRange
{
    // As JSON numbers elsewhere: every such integer is exact in 64 bits.
    public const long Limit = 99_999_999_999_999_999;

    /// <summary>Integers from <paramref name="min"/> to <paramref name="max"/>, both included; null for no bound.</summary>
    public static GrammarNode Integers(long? min, long? max)
    {
        long low = min ?? -Limit, high = max ?? Limit;
        if (low > high)
            return GrammarNode.Nothing;
        var choices = new List<GrammarNode>();
        if (low < 0)
            choices.Add(GrammarNode.Of(GrammarNode.Text("-"), Naturals(Math.Max(1, -high), -low)));
        if (high >= 0)
            choices.Add(Naturals(Math.Max(0, low), high));
        return GrammarNode.Any([.. choices]);
    }

    /// <summary>Numbers with or without a fraction between whole bounds, which may be excluded.</summary>
    public static GrammarNode Decimals(long? min, bool minExcluded, long? max, bool maxExcluded)
    {
        long low = min ?? -Limit, high = max ?? Limit;
        var choices = new List<GrammarNode>();
        if (low < 0)
        {
            // Below zero the bounds change places; zero itself is written without a sign.
            bool isAtZero = high >= 0;
            choices.Add(GrammarNode.Of(GrammarNode.Text("-"), Magnitudes(isAtZero ? 0 : -high, isAtZero || maxExcluded, -low, minExcluded)));
        }

        if (high >= 0)
            choices.Add(Magnitudes(Math.Max(0, low), low >= 0 && minExcluded, high, maxExcluded));
        return GrammarNode.Any([.. choices]);
    }

    private static GrammarNode Magnitudes(long low, bool lowExcluded, long high, bool highExcluded)
    {
        GrammarNode fraction = GrammarNode.Of(GrammarNode.Text("."), JsonText.Digits(1, 17));
        var choices = new List<GrammarNode>();
        if (lowExcluded && low < high)
        {
            GrammarNode aboveZero = GrammarNode.Of(GrammarNode.Text("."), new GrammarNode.Repeat(GrammarNode.Text("0"), 0, 8), Digit('1', '9'), JsonText.Digits(0, 8));
            choices.Add(GrammarNode.Of(GrammarNode.Text(low.ToString(CultureInfo.InvariantCulture)), aboveZero));
            low++;
        }

        if (low < high)
            choices.Add(GrammarNode.Of(Naturals(low, high - 1), GrammarNode.Optional(fraction)));
        if (low <= high && !highExcluded && !(lowExcluded && low == high && choices.Count == 0))
            choices.Add(GrammarNode.Text(high.ToString(CultureInfo.InvariantCulture)));
        return GrammarNode.Any([.. choices]);
    }

    private static GrammarNode Naturals(long low, long high)
    {
        var choices = new List<GrammarNode>();
        while (low <= high)
        {
            string from = low.ToString(CultureInfo.InvariantCulture);
            // The last number with as many digits.
            long last = from.Length >= 18 ? long.MaxValue : (long)Math.Pow(10, from.Length) - 1;
            last = Math.Min(last, high);
            choices.Add(OfOneLength(from, last.ToString(CultureInfo.InvariantCulture)));
            low = last + 1;
        }

        return GrammarNode.Any([.. choices]);
    }

    private static GrammarNode OfOneLength(string low, string high)
    {
        if (low.Length == 0)
            return GrammarNode.Empty;
        if (low[0] == high[0])
            return GrammarNode.Of(GrammarNode.Text(low[..1]), OfOneLength(low[1..], high[1..]));
        var choices = new List<GrammarNode>
        {
            GrammarNode.Of(GrammarNode.Text(low[..1]), AtLeast(low[1..])),
            GrammarNode.Of(GrammarNode.Text(high[..1]), AtMost(high[1..])),
        };
        if (high[0] - low[0] > 1)
            choices.Add(GrammarNode.Of(Digit((char)(low[0] + 1), (char)(high[0] - 1)), JsonText.Digits(low.Length - 1, low.Length - 1)));
        return GrammarNode.Any([.. choices]);
    }

    private static GrammarNode AtLeast(string low)
    {
        if (low.Length == 0)
            return GrammarNode.Empty;
        GrammarNode same = GrammarNode.Of(GrammarNode.Text(low[..1]), AtLeast(low[1..]));
        return low[0] == '9' ? same : GrammarNode.Any(same, GrammarNode.Of(Digit((char)(low[0] + 1), '9'), JsonText.Digits(low.Length - 1, low.Length - 1)));
    }

    private static GrammarNode AtMost(string high)
    {
        if (high.Length == 0)
            return GrammarNode.Empty;
        GrammarNode same = GrammarNode.Of(GrammarNode.Text(high[..1]), AtMost(high[1..]));
        return high[0] == '0' ? same : GrammarNode.Any(same, GrammarNode.Of(Digit('0', (char)(high[0] - 1)), JsonText.Digits(high.Length - 1, high.Length - 1)));
    }

    private static GrammarNode.Characters Digit(char first, char last) => new GrammarNode.Characters(CodePointSet.Of((first, last)));
}
