namespace Hadal.Formats.Tokenization;

/// <summary>Text to token ids and back. Thread-safe.</summary>
public interface ITokenizer
{
    /// <summary>Number of ids, added tokens included: every id is below this.</summary>
    int VocabSize { get; }

    int? BosTokenId { get; }

    int? EosTokenId { get; }

    /// <summary>
    /// Encodes text. Added tokens written out in the text (such as <c>&lt;｜User｜&gt;</c>) become their ids, as the reference does;
    /// with <paramref name="addSpecialTokens"/> the tokenizer's own frame (usually BOS) is added too.
    /// Unpaired surrogates count as U+FFFD.
    /// </summary>
    int[] Encode(ReadOnlySpan<char> text, bool addSpecialTokens = false);

    /// <summary>
    /// Encodes text from an untrusted writer: with <paramref name="allowSpecial"/> false, special tokens written out in it are plain text.
    /// </summary>
    int[] EncodePlain(ReadOnlySpan<char> text, bool allowSpecial);

    /// <summary>The whole text of the ids; bytes that are no UTF-8 become U+FFFD.</summary>
    string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false);

    /// <summary>The bytes that one id stands for; empty for ids that are not in the vocabulary.</summary>
    ReadOnlyMemory<byte> TokenBytes(int id);

    bool IsSpecial(int id);

    /// <summary>Whether the id was added to the vocabulary beside the text's own tokens: special ones, and markers such as <c>&lt;｜User｜&gt;</c> that some files do not call special.</summary>
    bool IsAdded(int id) => IsSpecial(id);

    bool TryGetId(string token, out int id);
}
