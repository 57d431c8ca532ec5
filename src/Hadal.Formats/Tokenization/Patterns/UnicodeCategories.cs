using System.Globalization;

namespace Hadal.Formats.Tokenization.Patterns;

/// <summary>Sets of general categories as bit masks, and their names in <c>\p{...}</c>.</summary>
internal static class UnicodeCategories
{
    public static readonly uint Letter = Of(UnicodeCategory.UppercaseLetter) | Of(UnicodeCategory.LowercaseLetter) | Of(UnicodeCategory.TitlecaseLetter)
        | Of(UnicodeCategory.ModifierLetter) | Of(UnicodeCategory.OtherLetter);

    public static readonly uint Mark = Of(UnicodeCategory.NonSpacingMark) | Of(UnicodeCategory.SpacingCombiningMark) | Of(UnicodeCategory.EnclosingMark);

    public static readonly uint Number = Of(UnicodeCategory.DecimalDigitNumber) | Of(UnicodeCategory.LetterNumber) | Of(UnicodeCategory.OtherNumber);

    public static readonly uint Separator = Of(UnicodeCategory.SpaceSeparator) | Of(UnicodeCategory.LineSeparator) | Of(UnicodeCategory.ParagraphSeparator);

    public static readonly uint Punctuation = Of(UnicodeCategory.ConnectorPunctuation) | Of(UnicodeCategory.DashPunctuation)
        | Of(UnicodeCategory.OpenPunctuation) | Of(UnicodeCategory.ClosePunctuation) | Of(UnicodeCategory.InitialQuotePunctuation)
        | Of(UnicodeCategory.FinalQuotePunctuation) | Of(UnicodeCategory.OtherPunctuation);

    public static readonly uint Symbol = Of(UnicodeCategory.MathSymbol) | Of(UnicodeCategory.CurrencySymbol) | Of(UnicodeCategory.ModifierSymbol)
        | Of(UnicodeCategory.OtherSymbol);

    public static readonly uint Other = Of(UnicodeCategory.Control) | Of(UnicodeCategory.Format) | Of(UnicodeCategory.Surrogate)
        | Of(UnicodeCategory.PrivateUse) | Of(UnicodeCategory.OtherNotAssigned);

    public static uint Of(UnicodeCategory category) => 1u << (int)category;

    /// <summary>The mask of a property name such as <c>L</c>, <c>Lu</c> or <c>Letter</c>; zero when it is no general category.</summary>
    public static uint Parse(ReadOnlySpan<char> name) => name switch
    {
        "L" or "Letter" => Letter,
        "Lu" or "Uppercase_Letter" => Of(UnicodeCategory.UppercaseLetter),
        "Ll" or "Lowercase_Letter" => Of(UnicodeCategory.LowercaseLetter),
        "Lt" or "Titlecase_Letter" => Of(UnicodeCategory.TitlecaseLetter),
        "Lm" or "Modifier_Letter" => Of(UnicodeCategory.ModifierLetter),
        "Lo" or "Other_Letter" => Of(UnicodeCategory.OtherLetter),
        "M" or "Mark" => Mark,
        "Mn" or "Nonspacing_Mark" => Of(UnicodeCategory.NonSpacingMark),
        "Mc" or "Spacing_Mark" => Of(UnicodeCategory.SpacingCombiningMark),
        "Me" or "Enclosing_Mark" => Of(UnicodeCategory.EnclosingMark),
        "N" or "Number" => Number,
        "Nd" or "Decimal_Number" => Of(UnicodeCategory.DecimalDigitNumber),
        "Nl" or "Letter_Number" => Of(UnicodeCategory.LetterNumber),
        "No" or "Other_Number" => Of(UnicodeCategory.OtherNumber),
        "P" or "Punctuation" => Punctuation,
        "Pc" or "Connector_Punctuation" => Of(UnicodeCategory.ConnectorPunctuation),
        "Pd" or "Dash_Punctuation" => Of(UnicodeCategory.DashPunctuation),
        "Ps" or "Open_Punctuation" => Of(UnicodeCategory.OpenPunctuation),
        "Pe" or "Close_Punctuation" => Of(UnicodeCategory.ClosePunctuation),
        "Pi" or "Initial_Punctuation" => Of(UnicodeCategory.InitialQuotePunctuation),
        "Pf" or "Final_Punctuation" => Of(UnicodeCategory.FinalQuotePunctuation),
        "Po" or "Other_Punctuation" => Of(UnicodeCategory.OtherPunctuation),
        "S" or "Symbol" => Symbol,
        "Sm" or "Math_Symbol" => Of(UnicodeCategory.MathSymbol),
        "Sc" or "Currency_Symbol" => Of(UnicodeCategory.CurrencySymbol),
        "Sk" or "Modifier_Symbol" => Of(UnicodeCategory.ModifierSymbol),
        "So" or "Other_Symbol" => Of(UnicodeCategory.OtherSymbol),
        "Z" or "Separator" => Separator,
        "Zs" or "Space_Separator" => Of(UnicodeCategory.SpaceSeparator),
        "Zl" or "Line_Separator" => Of(UnicodeCategory.LineSeparator),
        "Zp" or "Paragraph_Separator" => Of(UnicodeCategory.ParagraphSeparator),
        "C" or "Other" => Other,
        "Cc" or "Control" => Of(UnicodeCategory.Control),
        "Cf" or "Format" => Of(UnicodeCategory.Format),
        "Co" or "Private_Use" => Of(UnicodeCategory.PrivateUse),
        "Cs" or "Surrogate" => Of(UnicodeCategory.Surrogate),
        "Cn" or "Unassigned" => Of(UnicodeCategory.OtherNotAssigned),
        _ => 0,
    };
}
