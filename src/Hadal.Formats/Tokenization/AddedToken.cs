namespace Hadal.Formats.Tokenization;

/// <summary>A token that is found in the text itself, ahead of byte pair encoding.</summary>
/// <param name="Special">Left out of text decoded with skipSpecialTokens.</param>
/// <param name="Normalized">Looked for in normalised text, not in the raw one.</param>
/// <param name="SingleWord">Only where no word character touches it.</param>
/// <param name="LStrip">Swallows white space on its left; <paramref name="RStrip"/> on its right.</param>
public readonly record struct AddedToken(
    int Id, string Content, bool Special, bool Normalized = false, bool SingleWord = false, bool LStrip = false, bool RStrip = false);
