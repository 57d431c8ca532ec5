using Hadal.Optimize.Quantization;

namespace Hadal.Optimize.Recipes;

/// <summary>What the units of matching names become.</summary>
/// <param name="Match">A unit's name, in which <c>*</c> stands for any run of characters.</param>
/// <param name="Format">To what.</param>
/// <param name="Why">For the report.</param>
public sealed record QuantRule(string Match, WeightFormat Format, string Why)
{
    public bool Matches(string name) => Matches(Match, name);

    private static bool Matches(ReadOnlySpan<char> pattern, ReadOnlySpan<char> name)
    {
        // Greedy with one point to come back to: linear but for the product of both lengths at worst.
        int p = 0;
        int n = 0;
        int star = -1;
        int mark = 0;
        while (n < name.Length)
        {
            if (p < pattern.Length && pattern[p] != '*' && pattern[p] == name[n])
            {
                p++;
                n++;
            }
            else if (p < pattern.Length && pattern[p] == '*')
            {
                star = p++;
                mark = n;
            }
            else if (star >= 0)
            {
                p = star + 1;
                n = ++mark;
            }
            else
            {
                return false;
            }
        }

        while (p < pattern.Length && pattern[p] == '*')
        {
            p++;
        }

        return p == pattern.Length;
    }
}
