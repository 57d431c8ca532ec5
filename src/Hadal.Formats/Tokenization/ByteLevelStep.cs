using Hadal.Formats.Tokenization.Patterns;

namespace Hadal.Formats.Tokenization;

/// <summary>The cutting half of the ByteLevel pre-tokenizer; the spelling of bytes is <see cref="BpeModel"/>'s.</summary>
internal sealed class ByteLevelStep : PreTokenizerStep
{
    // GPT-2's pattern. Source: openai/gpt-2, encoder.py.
    public const string Gpt2Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private readonly bool _addPrefixSpace;
    private readonly SplitStep? _split;

    public ByteLevelStep(bool addPrefixSpace, bool useRegex)
    {
        _addPrefixSpace = addPrefixSpace;
        _split = useRegex ? new SplitStep(new RunePattern(Gpt2Pattern), SplitBehavior.Isolated, invert: false) : null;
    }

    public override void Apply(PreTokenizedText text)
    {
        if (_addPrefixSpace) text.PrefixSpaces();
        _split?.Apply(text);
    }
}
