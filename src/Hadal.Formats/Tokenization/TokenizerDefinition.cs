namespace Hadal.Formats.Tokenization;

/// <summary>Everything a <see cref="BpeTokenizer"/> is made of, whichever file it came from.</summary>
internal sealed record TokenizerDefinition
{
    /// <summary>The model's tokens and the added ones.</summary>
    public required TokenTable Vocab { get; init; }

    public required MergeTable Merges { get; init; }

    public bool IgnoreMerges { get; init; }

    public int? UnkId { get; init; }

    public bool NormalizeToNfc { get; init; }

    public required IReadOnlyList<PreTokenizerStep> PreTokenizer { get; init; }

    public required IReadOnlyList<AddedToken> AddedTokens { get; init; }

    /// <summary>Ids that addSpecialTokens puts around the text.</summary>
    public IReadOnlyList<int> Prefix { get; init; } = [];

    public IReadOnlyList<int> Suffix { get; init; } = [];

    public int? BosTokenId { get; init; }

    public int? EosTokenId { get; init; }
}
