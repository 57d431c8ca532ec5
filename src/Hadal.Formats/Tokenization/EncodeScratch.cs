namespace Hadal.Formats.Tokenization;

/// <summary>Working memory of one call to Encode.</summary>
internal sealed class EncodeScratch
{
    public PreTokenizedText Text { get; } = new();

    public BpeScratch Bpe { get; } = new();

    public IdBuffer Ids { get; } = new();

    public void Trim()
    {
        Text.Trim();
        Bpe.Trim();
        Ids.Clear();
    }
}
