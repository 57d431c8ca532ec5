namespace Hadal.Engine.Paging;

/// <summary>The pages of one sequence, in order of position. Changed only through <see cref="BlockManager"/>, which counts the references.</summary>
internal sealed class BlockTable
{
    private int[] _blocks = new int[8];

    public int Count { get; private set; }

    /// <summary>Leading blocks that are in the prefix cache.</summary>
    public int NumCommitted { get; set; }

    /// <summary>Cache identity of the last committed block, or the root the first one will hang from.</summary>
    public long ChainKey { get; set; }

    public int this[int index]
    {
        get => _blocks[index];
        set => _blocks[index] = value;
    }

    public ReadOnlySpan<int> AsSpan(int count) => _blocks.AsSpan(0, count);

    public void Add(int block)
    {
        if (Count == _blocks.Length)
            Array.Resize(ref _blocks, 2 * Count);
        _blocks[Count++] = block;
    }

    public int RemoveLast() => _blocks[--Count];

    public void Clear()
    {
        Count = 0;
        NumCommitted = 0;
        ChainKey = 0;
    }
}
