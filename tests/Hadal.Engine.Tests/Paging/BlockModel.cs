using Hadal.Engine.Paging;

namespace Hadal.Engine.Tests.Paging;

/// <summary>What <see cref="BlockManager"/> should do, in the plainest terms: whole prefixes as keys, a list as the order of eviction.</summary>
internal sealed class BlockModel(int numBlocks, int blockSize)
{
    private readonly Dictionary<string, int> _blockOf = [];
    private readonly List<int> _available = [.. Enumerable.Range(0, numBlocks)];
    private readonly int[] _refs = new int[numBlocks];

    public (int Found, int Unreferenced) Find(List<int> tokens)
    {
        int found = 0;
        int unreferenced = 0;
        while ((found + 1) * blockSize < tokens.Count && _blockOf.TryGetValue(Key(tokens, found), out int block))
        {
            unreferenced += _refs[block] == 0 ? 1 : 0;
            found++;
        }

        return (found, unreferenced);
    }

    public void Adopt(BlockTable table, List<int> tokens, int count)
    {
        for (int i = 0; i < count; i++)
        {
            Assert.Equal(_blockOf[Key(tokens, i)], table[i]);
            Hold(table[i]);
        }
    }

    public void Grow(BlockTable table, int from)
    {
        for (int i = from; i < table.Count; i++)
        {
            Assert.Equal(_available[0], table[i]);
            Assert.Equal(0, _refs[table[i]]);
            if (Cached(table[i]))
                _blockOf.Remove(_blockOf.Single(p => p.Value == table[i]).Key);
            Hold(table[i]);
        }
    }

    public void Commit(BlockTable table, List<int> tokens, int from, int[] pagesBefore)
    {
        for (int i = from; i < table.NumCommitted; i++)
        {
            if (_blockOf.TryAdd(Key(tokens, i), pagesBefore[i]))
                continue;
            Hold(_blockOf[Key(tokens, i)]);
            LetGo(pagesBefore[i]);
        }

        for (int i = 0; i < table.NumCommitted; i++)
            Assert.Equal(_blockOf[Key(tokens, i)], table[i]);
    }

    public void Release(BlockTable table)
    {
        for (int i = table.Count - 1; i >= 0; i--)
            LetGo(table[i]);
    }

    public void AssertSame(BlockManager blocks, IReadOnlyList<BlockTable> live)
    {
        Assert.Equal(_available, blocks.AvailableInOrder());
        Assert.Equal(numBlocks - _available.Count, blocks.NumUsed);
        Assert.Equal(_available.Count(Cached), blocks.NumCached);
        for (int b = 0; b < numBlocks; b++)
        {
            Assert.Equal(live.Sum(t => t.AsSpan(t.Count).Count(b)), blocks.RefCount(b));
            Assert.Equal(_refs[b], blocks.RefCount(b));
            Assert.Equal(Cached(b), blocks.IsCached(b));
        }

        // The tree has no orphans: whoever is cached has a cached parent.
        foreach (string key in _blockOf.Keys.Where(k => k.Count(c => c == '|') > 1))
            Assert.Contains(key[..(key[..^1].LastIndexOf('|') + 1)], _blockOf.Keys);
    }

    private bool Cached(int block) => _blockOf.ContainsValue(block);

    private string Key(List<int> tokens, int block)
        => string.Concat(Enumerable.Range(0, block + 1).Select(b => string.Join(',', tokens.Skip(b * blockSize).Take(blockSize)) + "|"));

    private void Hold(int block)
    {
        if (_refs[block]++ == 0)
            _available.Remove(block);
    }

    private void LetGo(int block)
    {
        if (--_refs[block] == 0)
            _available.Insert(Cached(block) ? _available.Count : 0, block);
    }
}
