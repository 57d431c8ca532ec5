namespace Hadal.Formats.Tokenization;

/// <summary>Pairs of ids to the rank of their merge and the id that comes of it.</summary>
internal sealed class MergeTable
{
    public const int MaxMerges = 1 << 22;
    private const ulong Free = ulong.MaxValue;

    private (ulong Pair, int Rank, int Id)[] _slots;
    private int _count;

    public MergeTable(int expected)
    {
        _slots = new (ulong, int, int)[System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Clamp(expected, 16, MaxMerges) * 2)];
        Array.Fill(_slots, (Free, 0, 0));
    }

    /// <summary>A pair given twice keeps its later rank, as in the reference.</summary>
    public void Set(int left, int right, int rank, int id)
    {
        if (_count * 2 >= _slots.Length) Grow();
        int slot = FindSlot(_slots, Key(left, right));
        if (_slots[slot].Pair == Free) _count++;
        _slots[slot] = (Key(left, right), rank, id);
    }

    public bool TryGet(int left, int right, out int rank, out int id)
    {
        ref readonly (ulong Pair, int Rank, int Id) slot = ref _slots[FindSlot(_slots, Key(left, right))];
        rank = slot.Rank;
        id = slot.Id;
        return slot.Pair != Free;
    }

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private static int FindSlot((ulong Pair, int Rank, int Id)[] slots, ulong key)
    {
        int mask = slots.Length - 1;
        int slot = SeededHash.Of(key) & mask;
        while (slots[slot].Pair != key && slots[slot].Pair != Free) slot = (slot + 1) & mask;
        return slot;
    }

    private void Grow()
    {
        var larger = new (ulong, int, int)[_slots.Length * 2];
        Array.Fill(larger, (Free, 0, 0));
        foreach ((ulong Pair, int Rank, int Id) entry in _slots)
        {
            if (entry.Pair != Free) larger[FindSlot(larger, entry.Pair)] = entry;
        }

        _slots = larger;
    }
}
