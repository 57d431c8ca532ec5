using Hadal.Formats.Tokenization.Patterns;

namespace Hadal.Formats.Tokenization;

/// <summary>A text and the pieces it has been cut into so far; one caller's working memory.</summary>
internal sealed class PreTokenizedText
{
    private char[] _text = new char[1024];
    private int _textLength;
    private (int Start, int Length)[] _pieces = new (int, int)[256];
    private (int Start, int Length)[] _next = new (int, int)[256];
    private int _nextCount;

    public PatternScratch Patterns { get; } = new();

    public int Count { get; private set; }

    public ReadOnlySpan<char> this[int index] => _text.AsSpan(_pieces[index].Start, _pieces[index].Length);

    public void Reset(ReadOnlySpan<char> text)
    {
        if (_text.Length < text.Length) _text = new char[text.Length];
        text.CopyTo(_text);
        _textLength = text.Length;
        _pieces[0] = (0, text.Length);
        Count = 1;
        _nextCount = 0;
    }

    public int StartOf(int index) => _pieces[index].Start;

    /// <summary>Adds a piece of the next cut; empty ones vanish.</summary>
    public void Emit(int start, int length)
    {
        if (length == 0) return;
        if (_nextCount == _next.Length) Array.Resize(ref _next, _nextCount * 2);
        _next[_nextCount++] = (start, length);
    }

    /// <summary>The pieces emitted replace those there were.</summary>
    public void Commit()
    {
        (_pieces, _next) = (_next, _pieces);
        (Count, _nextCount) = (_nextCount, 0);
    }

    /// <summary>Puts a space before each piece that does not begin with one.</summary>
    public void PrefixSpaces()
    {
        int missing = 0;
        for (int i = 0; i < Count; i++) missing += this[i][0] == ' ' ? 0 : 1;
        if (missing == 0) return;
        var text = new char[_textLength + missing];
        int length = 0;
        for (int i = 0; i < Count; i++)
        {
            ReadOnlySpan<char> piece = this[i];
            int start = length;
            if (piece[0] != ' ') text[length++] = ' ';
            piece.CopyTo(text.AsSpan(length));
            length += piece.Length;
            Emit(start, length - start);
        }

        _text = text;
        _textLength = length;
        Commit();
    }

    /// <summary>Gives back memory that one unusually long text has taken.</summary>
    public void Trim()
    {
        if (_text.Length > 1 << 18) _text = new char[1024];
        if (_pieces.Length > 1 << 16) _pieces = new (int, int)[256];
        if (_next.Length > 1 << 16) _next = new (int, int)[256];
        Patterns.Trim();
    }
}
