using Hadal.Formats.Tokenization.Patterns;

namespace Hadal.Formats.Tokenization;

/// <summary>Finds added tokens in text: leftmost, then longest, as the reference's Aho-Corasick automaton does.</summary>
internal sealed class AddedTokenMatcher
{
    private readonly AddedToken[] _tokens;
    private readonly Dictionary<(int Node, char Next), int> _edges = [];
    private readonly List<int> _tokenAtNode = [-1];
    private readonly System.Buffers.SearchValues<char> _firstChars;

    public AddedTokenMatcher(IEnumerable<(AddedToken Token, string Pattern)> tokens)
    {
        var list = new List<AddedToken>();
        var first = new HashSet<char>();
        foreach ((AddedToken token, string pattern) in tokens)
        {
            if (pattern.Length == 0) continue;
            first.Add(pattern[0]);
            int node = 0;
            foreach (char c in pattern)
            {
                if (!_edges.TryGetValue((node, c), out int next))
                {
                    next = _tokenAtNode.Count;
                    _tokenAtNode.Add(-1);
                    _edges.Add((node, c), next);
                }

                node = next;
            }

            if (_tokenAtNode[node] < 0) _tokenAtNode[node] = list.Count;
            list.Add(token);
        }

        _tokens = [.. list];
        _firstChars = System.Buffers.SearchValues.Create([.. first]);
    }

    public bool IsEmpty => _tokens.Length == 0;

    /// <summary>
    /// The next token at or behind <paramref name="from"/>. <paramref name="start"/> and <paramref name="end"/> take in the white
    /// space it swallows; text before <paramref name="taken"/> belongs to the token before.
    /// </summary>
    public bool Find(ReadOnlySpan<char> text, ref int from, int taken, out int start, out int end, out int id)
    {
        while (from < text.Length)
        {
            int offset = text[from..].IndexOfAny(_firstChars);
            if (offset < 0) break;
            int at = from + offset;
            int index = Longest(text, at, out int length);
            if (index < 0)
            {
                from = at + 1;
                continue;
            }

            from = at + length;
            ref readonly AddedToken token = ref _tokens[index];
            if (token.SingleWord && (IsWordBefore(text, at) || IsWordAfter(text, from))) continue;
            (start, end, id) = (at, from, token.Id);
            if (token.LStrip)
            {
                while (start > taken && char.IsWhiteSpace(text[start - 1])) start--;
            }

            if (token.RStrip)
            {
                while (end < text.Length && char.IsWhiteSpace(text[end])) end++;
            }

            return true;
        }

        from = text.Length;
        start = end = id = -1;
        return false;
    }

    private int Longest(ReadOnlySpan<char> text, int at, out int length)
    {
        int node = 0, best = -1;
        length = 0;
        for (int i = at; i < text.Length && _edges.TryGetValue((node, text[i]), out node); i++)
        {
            if (_tokenAtNode[node] < 0) continue;
            best = _tokenAtNode[node];
            length = i + 1 - at;
        }

        return best;
    }

    private static bool IsWordBefore(ReadOnlySpan<char> text, int pos) =>
        pos > 0 && CharClass.Word.Contains(pos > 1 && char.IsLowSurrogate(text[pos - 1]) ? char.ConvertToUtf32(text[pos - 2], text[pos - 1]) : text[pos - 1]);

    private static bool IsWordAfter(ReadOnlySpan<char> text, int pos) =>
        pos < text.Length && CharClass.Word.Contains(char.IsHighSurrogate(text[pos]) && pos + 1 < text.Length ? char.ConvertToUtf32(text[pos], text[pos + 1]) : text[pos]);
}
