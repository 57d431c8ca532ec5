using System.Globalization;

namespace Hadal.Formats.Tokenization.Patterns;

/// <summary>
/// A set of code points: ranges, general categories, nested classes; possibly negated, intersected, or blind to case.
/// </summary>
/// <remarks>
/// Membership in the basic plane is answered from bitmaps of 256 characters each, filled when first asked for: a pattern
/// touches few of them and an eager table for all of Unicode would cost more than loading the vocabulary.
/// Thread-safe: a page is computed from immutable facts, so a race writes the same bits twice.
/// </remarks>
internal sealed class CharClass
{
    // Oniguruma's \w is Alphabetic | M | Nd | Pc: letters, marks, digits, letter numbers, connectors and the circled letters (Other_Alphabetic, category So).
    public static readonly CharClass Word = new([(0x24B6, 0x24E9), (0x1F130, 0x1F149), (0x1F150, 0x1F169), (0x1F170, 0x1F189)],
        UnicodeCategories.Letter | UnicodeCategories.Mark | UnicodeCategories.Of(UnicodeCategory.DecimalDigitNumber)
        | UnicodeCategories.Of(UnicodeCategory.LetterNumber) | UnicodeCategories.Of(UnicodeCategory.ConnectorPunctuation));

    public static readonly CharClass Digit = new([], UnicodeCategories.Of(UnicodeCategory.DecimalDigitNumber));

    // White_Space: the separators and the controls TAB..CR and NEL.
    public static readonly CharClass Space = new([(0x09, 0x0D), (0x85, 0x85)], UnicodeCategories.Separator);

    public static readonly CharClass HexDigit = new([('0', '9'), ('a', 'f'), ('A', 'F')], 0);

    /// <summary>What <c>.</c> matches: anything but the line feed.</summary>
    public static readonly CharClass NotNewline = new([('\n', '\n')], 0, negated: true);

    private readonly (int Low, int High)[] _ranges;
    private readonly uint _categories;
    private readonly CharClass[] _union;
    private readonly CharClass? _intersection;
    private readonly bool _negated;
    private readonly bool _ignoreCase;
    private readonly ulong[]?[] _pages = new ulong[]?[256];

    public CharClass(
        (int Low, int High)[] ranges, uint categories, CharClass[]? union = null, CharClass? intersection = null, bool negated = false, bool ignoreCase = false)
    {
        _ranges = ranges;
        _categories = categories;
        _union = union ?? [];
        _intersection = intersection;
        _negated = negated;
        _ignoreCase = ignoreCase;
    }

    public static CharClass Single(int codePoint, bool ignoreCase = false) => new([(codePoint, codePoint)], 0, ignoreCase: ignoreCase);

    public CharClass Negate() => new([], 0, union: [this], negated: true);

    public bool Contains(int codePoint)
    {
        if ((uint)codePoint >= 0x10000) return Evaluate(codePoint);
        ulong[] page = _pages[codePoint >> 8] ?? FillPage(codePoint >> 8);
        return ((page[(codePoint >> 6) & 3] >> (codePoint & 63)) & 1) != 0;
    }

    private ulong[] FillPage(int index)
    {
        var page = new ulong[4];
        for (int i = 0; i < 256; i++)
        {
            if (Evaluate((index << 8) | i)) page[i >> 6] |= 1ul << (i & 63);
        }

        _pages[index] = page;
        return page;
    }

    private bool Evaluate(int codePoint)
    {
        bool found = EvaluateExact(codePoint);
        if (!found && _ignoreCase)
        {
            Span<int> variants = stackalloc int[CaseFolding.MaxVariants];
            int count = CaseFolding.Variants(codePoint, variants);
            for (int i = 0; i < count && !found; i++) found = EvaluateExact(variants[i]);
        }

        return found != _negated;
    }

    private bool EvaluateExact(int codePoint)
    {
        bool found = (_categories & (1u << (int)CharUnicodeInfo.GetUnicodeCategory(codePoint))) != 0;
        for (int i = 0; i < _ranges.Length && !found; i++)
        {
            found = codePoint >= _ranges[i].Low && codePoint <= _ranges[i].High;
        }

        for (int i = 0; i < _union.Length && !found; i++) found = _union[i].Contains(codePoint);
        return found && (_intersection is null || _intersection.Contains(codePoint));
    }
}
