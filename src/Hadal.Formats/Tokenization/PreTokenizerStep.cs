namespace Hadal.Formats.Tokenization;

/// <summary>One step of the pre-tokenizer: cuts every piece further. Immutable and thread-safe.</summary>
internal abstract class PreTokenizerStep
{
    public abstract void Apply(PreTokenizedText text);
}
