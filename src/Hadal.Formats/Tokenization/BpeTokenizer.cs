using System.Buffers;
using System.Text;

namespace Hadal.Formats.Tokenization;

/// <summary>
/// Byte-level BPE as Hugging Face's <c>tokenizers</c> library does it: added tokens, normaliser, pre-tokenizer, merges; id for id.
/// </summary>
/// <remarks>Thread-safe. Get one from <see cref="TokenizerLoader"/>.</remarks>
public sealed class BpeTokenizer : ITokenizer
{
    private readonly TokenTable _vocab;
    private readonly BpeModel _model;
    private readonly NfcNormalizer? _nfc;
    private readonly PreTokenizerStep[] _preTokenizer;
    private readonly AddedTokenMatcher _rawTokens;
    private readonly AddedTokenMatcher _normalizedTokens;
    private readonly bool[] _isSpecial;
    private readonly bool[] _isAdded;
    private readonly int[] _prefix;
    private readonly int[] _suffix;

    // The bytes of all ids one behind the other; id's are [_starts[id], _starts[id + 1]).
    private readonly byte[] _bytes;
    private readonly int[] _starts;

    private EncodeScratch? _spareScratch;

    internal BpeTokenizer(TokenizerDefinition definition)
    {
        _vocab = definition.Vocab;
        VocabSize = _vocab.IdLimit;
        BosTokenId = definition.BosTokenId;
        EosTokenId = definition.EosTokenId;
        _prefix = [.. definition.Prefix];
        _suffix = [.. definition.Suffix];
        _preTokenizer = [.. definition.PreTokenizer];
        _nfc = definition.NormalizeToNfc ? NfcNormalizer.Instance : null;
        _isSpecial = new bool[VocabSize];
        _isAdded = new bool[VocabSize];
        foreach (AddedToken token in definition.AddedTokens)
        {
            _isAdded[token.Id] = true;
            _isSpecial[token.Id] |= token.Special;
        }

        AddedTokens = definition.AddedTokens;
        _rawTokens = new(AddedTokens.Where(t => !t.Normalized).Select(t => (t, t.Content)));
        _normalizedTokens = new(AddedTokens.Where(t => t.Normalized).Select(t => (t, _nfc is null ? t.Content : _nfc.Normalize(t.Content))));
        _model = new BpeModel(_vocab, definition.Merges, definition.IgnoreMerges, definition.UnkId, id => _isAdded[id]);
        (_bytes, _starts) = DecodeAll(_vocab);
    }

    public int VocabSize { get; }

    public int? BosTokenId { get; }

    public int? EosTokenId { get; }

    public IReadOnlyList<AddedToken> AddedTokens { get; }

    public int[] Encode(ReadOnlySpan<char> text, bool addSpecialTokens = false) => Encode(text, findAdded: true, addSpecialTokens);

    /// <inheritdoc/>
    /// <remarks>
    /// Without <paramref name="allowSpecial"/> no added token is looked for, whether its file calls it special or not: DeepSeek-V3
    /// lists <c>&lt;｜User｜&gt;</c> as not special, and a writer who may forge it may forge a turn.
    /// </remarks>
    public int[] EncodePlain(ReadOnlySpan<char> text, bool allowSpecial) => Encode(text, findAdded: allowSpecial, addSpecialTokens: false);

    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        int length = 0;
        foreach (int id in ids)
        {
            if (!(skipSpecialTokens && IsSpecial(id))) length = checked(length + TokenBytes(id).Length);
        }

        byte[] bytes = ArrayPool<byte>.Shared.Rent(length);
        length = 0;
        foreach (int id in ids)
        {
            if (skipSpecialTokens && IsSpecial(id)) continue;
            ReadOnlySpan<byte> token = TokenBytes(id).Span;
            token.CopyTo(bytes.AsSpan(length));
            length += token.Length;
        }

        // Over the joined bytes: a character may be spread over several tokens.
        string text = Encoding.UTF8.GetString(bytes, 0, length);
        ArrayPool<byte>.Shared.Return(bytes);
        return text;
    }

    public ReadOnlyMemory<byte> TokenBytes(int id) =>
        (uint)id < (uint)VocabSize ? _bytes.AsMemory(_starts[id], _starts[id + 1] - _starts[id]) : default;

    public bool IsSpecial(int id) => (uint)id < (uint)VocabSize && _isSpecial[id];

    public bool IsAdded(int id) => (uint)id < (uint)VocabSize && _isAdded[id];

    public bool TryGetId(string token, out int id) => _vocab.TryGetId(Encoding.UTF8.GetBytes(token), out id);

    private int[] Encode(ReadOnlySpan<char> text, bool findAdded, bool addSpecialTokens)
    {
        // UTF-8 has no way to write an unpaired surrogate; the reference never sees one either.
        int surrogate = text.IndexOfAnyInRange('\uD800', '\uDFFF');
        if (surrogate >= 0) text = RepairSurrogates(text, surrogate);
        EncodeScratch scratch = Interlocked.Exchange(ref _spareScratch, null) ?? new EncodeScratch();
        IdBuffer ids = scratch.Ids;
        ids.Clear();
        if (addSpecialTokens) ids.Add(_prefix);
        EncodeAround(findAdded ? _rawTokens : null, text, findAdded, raw: true, scratch);
        if (addSpecialTokens) ids.Add(_suffix);
        int[] result = ids.Ids.ToArray();
        // Not in a finally block: after an exception the scratch is simply not used again.
        scratch.Trim();
        Volatile.Write(ref _spareScratch, scratch);
        return result;
    }

    /// <summary>Encodes the tokens that the matcher finds and hands what lies between them on.</summary>
    private void EncodeAround(AddedTokenMatcher? matcher, ReadOnlySpan<char> text, bool findAdded, bool raw, EncodeScratch scratch)
    {
        int taken = 0;
        if (matcher is { IsEmpty: false })
        {
            int from = 0;
            while (matcher.Find(text, ref from, taken, out int start, out int end, out int id))
            {
                if (start > taken) EncodeBetween(text[taken..start], findAdded, raw, scratch);
                scratch.Ids.Add(id);
                taken = end;
            }
        }

        if (taken < text.Length) EncodeBetween(text[taken..], findAdded, raw, scratch);
    }

    private void EncodeBetween(ReadOnlySpan<char> text, bool findAdded, bool raw, EncodeScratch scratch)
    {
        if (raw)
        {
            if (_nfc is not null && !_nfc.IsSurelyNormalized(text)) text = _nfc.Normalize(text);
            EncodeAround(findAdded ? _normalizedTokens : null, text, findAdded, raw: false, scratch);
            return;
        }

        PreTokenizedText pieces = scratch.Text;
        pieces.Reset(text);
        foreach (PreTokenizerStep step in _preTokenizer) step.Apply(pieces);
        for (int i = 0; i < pieces.Count; i++) _model.Encode(pieces[i], scratch.Bpe, scratch.Ids);
    }

    private static ReadOnlySpan<char> RepairSurrogates(ReadOnlySpan<char> text, int from)
    {
        char[]? repaired = null;
        for (int i = from; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i])) continue;
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                i++;
                continue;
            }

            repaired ??= text.ToArray();
            repaired[i] = '\uFFFD';
        }

        return repaired ?? text;
    }

    private static (byte[] Bytes, int[] Starts) DecodeAll(TokenTable vocab)
    {
        var starts = new int[vocab.IdLimit + 1];
        long total = 0;
        for (int id = 0; id < vocab.IdLimit; id++) total += vocab[id].Length;
        var bytes = new byte[total];
        int length = 0;
        for (int id = 0; id < vocab.IdLimit; id++)
        {
            starts[id] = length;
            length += ByteLevelAlphabet.Decode(vocab[id], bytes.AsSpan(length));
        }

        starts[^1] = length;
        return (bytes, starts);
    }
}
