using Hadal.Formats.Tokenization;

namespace Hadal.Engine.Constraints;

/// <summary>
/// The tokens of a tokenizer that stand for text, as a tree over their bytes. Added tokens (control tokens, markers of turns and tools) are not among
/// them: a constrained text holds none but those that its grammar names. Immutable, thread-safe; some megabytes and a tenth of a second for 128k tokens.
/// </summary>
public sealed class TokenVocabulary
{
    private readonly byte[] _nodeBytes;
    private readonly ushort[] _nodeDepths;
    private readonly int[] _nodeEnds;
    private readonly int[] _nodeTokens;
    private readonly int[] _nextWithSameBytes;
    private readonly int[] _endIds;
    private readonly bool[] _isText;

    /// <param name="tokenizer">The model's.</param>
    /// <param name="endIds">Ids that end an answer.</param>
    public TokenVocabulary(ITokenizer tokenizer, IEnumerable<int> endIds)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        Tokenizer = tokenizer;
        _endIds = [.. endIds.Distinct()];
        NumTokens = Math.Max(tokenizer.VocabSize, _endIds.Length == 0 ? 0 : _endIds.Max() + 1);
        _isText = new bool[NumTokens];
        var texts = new List<int>(NumTokens);
        var newlines = new List<int>();
        for (int id = 0; id < tokenizer.VocabSize; id++)
        {
            int length = tokenizer.TokenBytes(id).Length;
            if (length is 0 or > ushort.MaxValue || tokenizer.IsAdded(id) || _endIds.Contains(id))
                continue;
            _isText[id] = true;
            texts.Add(id);
            if (length <= 2 && !tokenizer.TokenBytes(id).Span.ContainsAnyExcept((byte)'\n'))
                newlines.Add(id);
            MaxTokenBytes = Math.Max(MaxTokenBytes, length);
        }

        Newlines = newlines;
        int[] order = [.. texts];
        Array.Sort(order, (a, b) =>
        {
            int byBytes = tokenizer.TokenBytes(a).Span.SequenceCompareTo(tokenizer.TokenBytes(b).Span);
            return byBytes != 0 ? byBytes : a.CompareTo(b);
        });
        _nextWithSameBytes = new int[NumTokens];
        _nextWithSameBytes.AsSpan().Fill(-1);
        var bytes = new List<byte>();
        var depths = new List<ushort>();
        var ends = new List<int>();
        var tokens = new List<int>();
        var open = new List<int>(); // the nodes from the root to the last token
        ReadOnlySpan<byte> last = default;
        foreach (int id in order)
        {
            ReadOnlySpan<byte> text = tokenizer.TokenBytes(id).Span;
            int common = text.CommonPrefixLength(last);
            if (common == text.Length && common == last.Length)
            {
                _nextWithSameBytes[id] = tokens[^1];
                tokens[^1] = id;
                continue;
            }

            Close(common);
            for (int i = common; i < text.Length; i++)
            {
                open.Add(bytes.Count);
                bytes.Add(text[i]);
                depths.Add((ushort)(i + 1));
                ends.Add(0);
                tokens.Add(-1);
            }

            tokens[^1] = id;
            last = text;
        }

        Close(0);
        _nodeBytes = [.. bytes];
        _nodeDepths = [.. depths];
        _nodeEnds = [.. ends];
        _nodeTokens = [.. tokens];

        void Close(int depth)
        {
            for (int i = depth; i < open.Count; i++)
                ends[open[i]] = bytes.Count;
            open.RemoveRange(depth, open.Count - depth);
        }
    }

    public ITokenizer Tokenizer { get; }

    /// <summary>Every id is below this.</summary>
    public int NumTokens { get; }

    public ReadOnlySpan<int> EndIds => _endIds;

    /// <summary>Tokens of one or two newlines: what stands between thinking and answer.</summary>
    internal IReadOnlyList<int> Newlines { get; }

    internal int MaxTokenBytes { get; }

    internal int NumNodes => _nodeBytes.Length;

    /// <summary>The last byte of each node's text; nodes stand in preorder.</summary>
    internal ReadOnlySpan<byte> NodeBytes => _nodeBytes;

    /// <summary>From 1.</summary>
    internal ReadOnlySpan<ushort> NodeDepths => _nodeDepths;

    /// <summary>The node behind the last one below.</summary>
    internal ReadOnlySpan<int> NodeEnds => _nodeEnds;

    /// <summary>The token whose text ends at the node; -1 for none. <see cref="NextWithSameBytes"/> has the others.</summary>
    internal ReadOnlySpan<int> NodeTokens => _nodeTokens;

    internal ReadOnlySpan<int> NextWithSameBytes => _nextWithSameBytes;

    internal bool IsEnd(int id) => _endIds.AsSpan().Contains(id);

    /// <summary>Whether the token stands for its bytes; else a grammar has to name it.</summary>
    internal bool IsText(int id) => (uint)id < (uint)_isText.Length && _isText[id];
}
