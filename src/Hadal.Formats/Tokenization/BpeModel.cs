using System.Text;

namespace Hadal.Formats.Tokenization;

/// <summary>Byte-level byte pair encoding of one word.</summary>
/// <remarks>
/// Merges in the order of rank, leftmost first among equals. A heap of candidate pairs over a linked list makes a word of n
/// bytes cost O(n log n); a candidate whose pair has changed since is recognised by its rank and skipped.
/// Immutable but for the cache; thread-safe, scratch belongs to the caller.
/// </remarks>
internal sealed class BpeModel
{
    private readonly MergeTable _merges;
    private readonly TokenTable _vocab;
    private readonly bool _ignoreMerges;
    private readonly Func<int, bool> _isAdded;
    private readonly int[] _idOfByte;
    private readonly WordCache _cache = new();

    /// <param name="ignoreMerges">A word that is in the vocabulary as a whole is taken as it is, without merging.</param>
    /// <param name="unkId">For bytes that are not in the vocabulary; they vanish when it is null, as in the reference.</param>
    public BpeModel(TokenTable vocab, MergeTable merges, bool ignoreMerges, int? unkId, Func<int, bool> isAdded)
    {
        _vocab = vocab;
        _merges = merges;
        _ignoreMerges = ignoreMerges;
        _isAdded = isAdded;
        _idOfByte = new int[256];
        Span<byte> utf8 = stackalloc byte[2];
        for (int b = 0; b < 256; b++)
        {
            int length = new Rune(ByteLevelAlphabet.CharOfByte((byte)b)).EncodeToUtf8(utf8);
            _idOfByte[b] = vocab.TryGetId(utf8[..length], out int id) ? id : unkId ?? -1;
        }
    }

    public void Encode(ReadOnlySpan<char> word, BpeScratch scratch, IdBuffer output)
    {
        bool cacheable = word.Length <= WordCache.MaxWordChars;
        if (cacheable && _cache.TryGet(word, out int[] known))
        {
            output.Add(known);
            return;
        }

        ReadOnlySpan<byte> bytes = scratch.ToUtf8(word);
        int before = output.Count;
        if (_ignoreMerges && TryGetWhole(bytes, scratch, out int whole)) output.Add(whole);
        else Merge(bytes, scratch, output);
        if (cacheable) _cache.Set(word, output.Ids[before..]);
    }

    private bool TryGetWhole(ReadOnlySpan<byte> bytes, BpeScratch scratch, out int id)
    {
        Span<byte> spelled = scratch.Spelling(bytes.Length * 2);
        int length = 0;
        foreach (byte b in bytes) length += new Rune(ByteLevelAlphabet.CharOfByte(b)).EncodeToUtf8(spelled[length..]);
        // An added token is found in the text before this or not at all.
        return _vocab.TryGetId(spelled[..length], out id) && !_isAdded(id);
    }

    private void Merge(ReadOnlySpan<byte> bytes, BpeScratch scratch, IdBuffer output)
    {
        scratch.Begin(bytes.Length, out Span<BpeSymbol> symbols, out BpeHeap heap);
        int count = 0;
        foreach (byte b in bytes)
        {
            int id = _idOfByte[b];
            if (id < 0) continue;
            symbols[count] = new BpeSymbol { Id = id, Previous = count - 1, Next = count + 1 };
            count++;
        }

        if (count == 0) return;
        symbols[count - 1].Next = -1;
        for (int i = 0; i + 1 < count; i++)
        {
            if (_merges.TryGet(symbols[i].Id, symbols[i + 1].Id, out int rank, out _)) heap.AddUnordered(rank, i);
        }

        heap.Order();
        while (heap.TryPop(out int rank, out int position))
        {
            ref BpeSymbol left = ref symbols[position];
            if (left.Id < 0 || left.Next < 0) continue;
            ref BpeSymbol right = ref symbols[left.Next];
            if (!_merges.TryGet(left.Id, right.Id, out int currentRank, out int merged) || currentRank != rank) continue;
            left.Id = merged;
            right.Id = -1;
            left.Next = right.Next;
            if (left.Next >= 0)
            {
                symbols[left.Next].Previous = position;
                if (_merges.TryGet(merged, symbols[left.Next].Id, out int nextRank, out _)) heap.Push(nextRank, position);
            }

            if (left.Previous >= 0 && _merges.TryGet(symbols[left.Previous].Id, merged, out int previousRank, out _))
            {
                heap.Push(previousRank, left.Previous);
            }
        }

        for (int i = 0; i >= 0; i = symbols[i].Next) output.Add(symbols[i].Id);
    }
}
