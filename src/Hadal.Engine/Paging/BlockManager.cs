using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Hadal.Engine.Paging;

/// <summary>
/// Hands out KV pages, counts who holds them, and finds pages that already hold the beginning of a prompt.
/// Every operation is O(1) per block; nothing is allocated after construction. One thread.
/// </summary>
/// <remarks>
/// The prefix cache is a tree: a block is known by its parent's identity and its own tokens. Identities are never reused and tokens are
/// compared in full, so a hash collision costs a comparison and can never mix two prompts. <see cref="HashCode"/> is seeded per process,
/// so nobody can aim at one bucket from outside.
/// Who holds a block holds its ancestors, and blocks are let go tail first: in the list of unreferenced blocks children always stand
/// before their parents, so taking from its front evicts the least recently used leaf and never cuts a branch in the middle.
/// </remarks>
internal sealed class BlockManager
{
    private const int None = -1;

    private readonly int[] _refCounts;

    // The unreferenced blocks, a ring through index NumBlocks: empty ones at the front, cached ones behind by last use.
    private readonly int[] _previous;
    private readonly int[] _next;

    // Of cached blocks. Identity 0 says that a block is not cached.
    private readonly long[] _identities;
    private readonly long[] _parents;
    private readonly int[] _hashes;
    private readonly int[] _tokens;
    private readonly int[] _nextInBucket;
    private readonly int[] _buckets;
    private long _lastIdentity;

    private readonly int[] _matched;
    private int _numMatched;

    public BlockManager(int numBlocks, int blockSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(numBlocks);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(blockSize);
        NumBlocks = numBlocks;
        BlockSize = blockSize;
        _refCounts = new int[numBlocks];
        _previous = new int[numBlocks + 1];
        _next = new int[numBlocks + 1];
        _identities = new long[numBlocks];
        _parents = new long[numBlocks];
        _hashes = new int[numBlocks];
        _tokens = new int[checked(numBlocks * blockSize)];
        _nextInBucket = new int[numBlocks];
        _buckets = new int[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)numBlocks)];
        _matched = new int[numBlocks];
        Array.Fill(_buckets, None);
        for (int i = 0; i <= numBlocks; i++)
        {
            _next[i] = i == numBlocks ? 0 : i + 1;
            _previous[i] = i == 0 ? numBlocks : i - 1;
        }
    }

    public int NumBlocks { get; }

    public int BlockSize { get; }

    /// <summary>Blocks that sequences hold.</summary>
    public int NumUsed { get; private set; }

    /// <summary>Blocks that nobody holds but that can still be found by their tokens.</summary>
    public int NumCached { get; private set; }

    /// <summary>Blocks that can be handed out now: empty and cached ones.</summary>
    public int NumAvailable => NumBlocks - NumUsed;

    public long NumEvictions { get; private set; }

    public int BlocksFor(int numTokens) => (int)(((long)numTokens + BlockSize - 1) / BlockSize);

    /// <summary>
    /// Finds the cached blocks that hold the beginning of the tokens; at least one token is always left over, because only computing it gives logits.
    /// Remembers them for <see cref="AdoptPrefix"/>; takes nothing yet.
    /// </summary>
    /// <param name="tokens">All tokens of the sequence.</param>
    /// <param name="root">0 for the cache that all share; a negative number for a cache of one's own, or of those with the same adapter.</param>
    /// <param name="numUnreferenced">How many of the found blocks are counted in <see cref="NumAvailable"/> now.</param>
    /// <returns>Blocks found.</returns>
    public int FindPrefix(ReadOnlySpan<int> tokens, long root, out int numUnreferenced)
    {
        Debug.Assert(root <= 0, "identities are positive");
        int limit = (tokens.Length - 1) / BlockSize;
        long parent = root;
        numUnreferenced = 0;
        _numMatched = 0;
        while (_numMatched < limit)
        {
            ReadOnlySpan<int> blockTokens = tokens.Slice(_numMatched * BlockSize, BlockSize);
            int block = Lookup(parent, blockTokens, Hash(parent, blockTokens));
            if (block == None)
                break;
            _matched[_numMatched++] = block;
            numUnreferenced += _refCounts[block] == 0 ? 1 : 0;
            parent = _identities[block];
        }

        return _numMatched;
    }

    /// <summary>Makes the first <paramref name="count"/> blocks of the last <see cref="FindPrefix"/> the beginning of an empty table.</summary>
    public void AdoptPrefix(BlockTable table, long root, int count)
    {
        Debug.Assert(table.Count == 0 && count <= _numMatched, "an empty table and a fresh match");
        table.ChainKey = root;
        for (int i = 0; i < count; i++)
        {
            Hold(_matched[i]);
            table.Add(_matched[i]);
            table.ChainKey = _identities[_matched[i]];
        }

        table.NumCommitted = count;
        _numMatched = 0;
    }

    /// <summary>Makes the table long enough for so many tokens, evicting cached blocks if need be; changes nothing if there are too few.</summary>
    public bool TryGrow(BlockTable table, int numTokens)
    {
        int need = BlocksFor(numTokens) - table.Count;
        if (need > NumAvailable)
            return false;
        for (; need > 0; need--)
        {
            int block = _next[NumBlocks];
            Debug.Assert(block != NumBlocks && _refCounts[block] == 0, "counted as available");
            if (_identities[block] != 0)
            {
                Forget(block);
                NumCached--;
                NumEvictions++;
            }

            Unlink(block);
            _refCounts[block] = 1;
            NumUsed++;
            table.Add(block);
        }

        return true;
    }

    /// <summary>
    /// Puts the blocks whose tokens are all computed into the prefix cache. Where another sequence computed the same block meanwhile, its page
    /// replaces this one's: one page is kept, and the tree stays a tree.
    /// </summary>
    public void Commit(BlockTable table, ReadOnlySpan<int> tokens, int numComputedTokens)
    {
        while ((long)(table.NumCommitted + 1) * BlockSize <= numComputedTokens)
        {
            int index = table.NumCommitted;
            ReadOnlySpan<int> blockTokens = tokens.Slice(index * BlockSize, BlockSize);
            int hash = Hash(table.ChainKey, blockTokens);
            int known = Lookup(table.ChainKey, blockTokens, hash);
            if (known == None)
            {
                Remember(table[index], table.ChainKey, blockTokens, hash);
            }
            else
            {
                Hold(known);
                LetGo(table[index]);
                table[index] = known;
            }

            table.ChainKey = _identities[table[index]];
            table.NumCommitted++;
        }
    }

    /// <summary>Gives back the blocks behind those that so many tokens need: room that was taken for drafts.</summary>
    public void Trim(BlockTable table, int numTokens)
    {
        int keep = BlocksFor(numTokens);
        Debug.Assert(keep >= table.NumCommitted, "drafts are never committed");
        while (table.Count > keep)
            LetGo(table.RemoveLast());
    }

    /// <summary>Gives the table's blocks back; cached ones stay findable until their pages are needed.</summary>
    public void Release(BlockTable table)
    {
        for (int i = table.Count - 1; i >= 0; i--)
            LetGo(table[i]);
        table.Clear();
    }

    internal int RefCount(int block) => _refCounts[block];

    internal bool IsCached(int block) => _identities[block] != 0;

    /// <summary>Unreferenced blocks in the order in which they will be handed out.</summary>
    internal IEnumerable<int> AvailableInOrder()
    {
        for (int block = _next[NumBlocks]; block != NumBlocks; block = _next[block])
            yield return block;
    }

    private void Hold(int block)
    {
        if (_refCounts[block]++ > 0)
            return;
        Unlink(block);
        NumUsed++;
        NumCached--;
    }

    private void LetGo(int block)
    {
        Debug.Assert(_refCounts[block] > 0, "a block is let go once per hold");
        if (--_refCounts[block] > 0)
            return;
        NumUsed--;
        if (_identities[block] != 0)
        {
            NumCached++;
            LinkAfter(_previous[NumBlocks], block);
        }
        else
        {
            LinkAfter(NumBlocks, block);
        }
    }

    private void LinkAfter(int place, int block)
    {
        int after = _next[place];
        _previous[block] = place;
        _next[block] = after;
        _next[place] = block;
        _previous[after] = block;
    }

    private void Unlink(int block)
    {
        _next[_previous[block]] = _next[block];
        _previous[_next[block]] = _previous[block];
    }

    private static int Hash(long parent, ReadOnlySpan<int> blockTokens)
    {
        var hash = default(HashCode);
        hash.Add(parent);
        hash.AddBytes(MemoryMarshal.AsBytes(blockTokens));
        return hash.ToHashCode();
    }

    private int Lookup(long parent, ReadOnlySpan<int> blockTokens, int hash)
    {
        for (int block = _buckets[hash & (_buckets.Length - 1)]; block != None; block = _nextInBucket[block])
        {
            if (_hashes[block] == hash && _parents[block] == parent && TokensOf(block).SequenceEqual(blockTokens))
                return block;
        }

        return None;
    }

    private void Remember(int block, long parent, ReadOnlySpan<int> blockTokens, int hash)
    {
        Debug.Assert(_identities[block] == 0, "cached once");
        _identities[block] = ++_lastIdentity;
        _parents[block] = parent;
        _hashes[block] = hash;
        blockTokens.CopyTo(TokensOf(block));
        ref int bucket = ref _buckets[hash & (_buckets.Length - 1)];
        _nextInBucket[block] = bucket;
        bucket = block;
    }

    private void Forget(int block)
    {
        ref int link = ref _buckets[_hashes[block] & (_buckets.Length - 1)];
        while (link != block)
            link = ref _nextInBucket[link];
        link = _nextInBucket[block];
        _identities[block] = 0;
    }

    private Span<int> TokensOf(int block) => _tokens.AsSpan(block * BlockSize, BlockSize);
}
