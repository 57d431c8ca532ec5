namespace Hadal.Formats.Tokenization;

/// <summary>What becomes of a separator; the names of <c>tokenizer.json</c>.</summary>
internal enum SplitBehavior
{
    Isolated,
    Removed,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}
