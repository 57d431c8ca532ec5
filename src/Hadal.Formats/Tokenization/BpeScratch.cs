using System.Text;

namespace Hadal.Formats.Tokenization;

/// <summary>Working memory of one caller's merges.</summary>
internal sealed class BpeScratch
{
    private readonly BpeHeap _heap = new();
    private byte[] _utf8 = new byte[256];
    private byte[] _spelling = new byte[512];
    private BpeSymbol[] _symbols = new BpeSymbol[256];

    public ReadOnlySpan<byte> ToUtf8(ReadOnlySpan<char> word)
    {
        if (_utf8.Length < word.Length * 3) _utf8 = new byte[word.Length * 3];
        return _utf8.AsSpan(0, Encoding.UTF8.GetBytes(word, _utf8));
    }

    public Span<byte> Spelling(int numBytes)
    {
        if (_spelling.Length < numBytes) _spelling = new byte[numBytes];
        return _spelling;
    }

    public void Begin(int numSymbols, out Span<BpeSymbol> symbols, out BpeHeap heap)
    {
        if (_symbols.Length < numSymbols) _symbols = new BpeSymbol[numSymbols];
        symbols = _symbols;
        _heap.Clear();
        heap = _heap;
    }

    /// <summary>Gives back memory that one unusually long word has taken.</summary>
    public void Trim()
    {
        if (_utf8.Length > 1 << 18) _utf8 = new byte[256];
        if (_spelling.Length > 1 << 18) _spelling = new byte[512];
        if (_symbols.Length > 1 << 16) _symbols = new BpeSymbol[256];
        _heap.Trim();
    }
}
