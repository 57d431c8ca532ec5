using System.Text;

namespace Hadal.Formats.Tokenization.Patterns;

/// <summary>Code points equal under simple case folding, as <c>(?i:...)</c> sees them.</summary>
/// <remarks>
/// Three ASCII-adjacent folds are written out: .NET's invariant casing keeps U+017F as it is, and casing alone never goes
/// from k to the Kelvin sign. Oniguruma follows them, so <c>(?i:'s)</c> matches an apostrophe and a long s.
/// Folds to several characters (ß and ss) are not followed; no known pre-tokenizer has a literal they would touch.
/// </remarks>
internal static class CaseFolding
{
    public const int MaxVariants = 4;

    public static int Variants(int codePoint, Span<int> variants)
    {
        int count = 0;
        switch (codePoint)
        {
            case 's' or 'S' or 0x17F:
                variants[count++] = 's';
                variants[count++] = 'S';
                variants[count++] = 0x17F;
                return count;
            case 'k' or 'K' or 0x212A:
                variants[count++] = 'k';
                variants[count++] = 'K';
                variants[count++] = 0x212A;
                return count;
            case 0xE5 or 0xC5 or 0x212B:
                variants[count++] = 0xE5;
                variants[count++] = 0xC5;
                variants[count++] = 0x212B;
                return count;
        }

        if (!Rune.TryCreate(codePoint, out Rune rune)) return 0;
        Rune lower = Rune.ToLowerInvariant(rune), upper = Rune.ToUpperInvariant(rune);
        variants[count++] = lower.Value;
        variants[count++] = upper.Value;
        variants[count++] = Rune.ToLowerInvariant(upper).Value;
        variants[count++] = Rune.ToUpperInvariant(lower).Value;
        return count;
    }
}
