namespace Hadal.Formats.Tokenization;

/// <summary>A link of the chain of symbols that a word is made of; <see cref="Id"/> is -1 once it was merged into the one before.</summary>
internal struct BpeSymbol
{
    public int Id;
    public int Previous;
    public int Next;
}
