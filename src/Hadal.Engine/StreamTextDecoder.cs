using Hadal.Formats.Tokenization;

namespace Hadal.Engine;

/// <summary>An answer's text from a tokenizer.</summary>
public sealed class StreamTextDecoder(ITokenizer tokenizer, bool skipSpecialTokens) : ITextDecoder
{
    private readonly StreamDecoder _decoder = new(tokenizer, skipSpecialTokens);

    public string Append(int id) => _decoder.Append(id);

    public string Flush() => _decoder.Flush();
}
