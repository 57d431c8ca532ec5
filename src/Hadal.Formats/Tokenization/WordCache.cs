using System.Runtime.InteropServices;

namespace Hadal.Formats.Tokenization;

/// <summary>Remembers the ids of words met before: a fixed number of places, a newcomer evicts whoever sits on its place.</summary>
/// <remarks>Thread-safe without locks: entries are immutable and a reference is written at once.</remarks>
internal sealed class WordCache
{
    public const int MaxWordChars = 48;
    private const int Places = 1 << 14;

    private readonly Entry?[] _entries = new Entry?[Places];

    public bool TryGet(ReadOnlySpan<char> word, out int[] ids)
    {
        Entry? entry = Volatile.Read(ref _entries[Place(word)]);
        if (entry is not null && word.SequenceEqual(entry.Word))
        {
            ids = entry.Ids;
            return true;
        }

        ids = [];
        return false;
    }

    public void Set(ReadOnlySpan<char> word, ReadOnlySpan<int> ids) =>
        Volatile.Write(ref _entries[Place(word)], new Entry(word.ToString(), ids.ToArray()));

    // A crafted collision only costs a miss, so the hash may be quick and simple.
    private static int Place(ReadOnlySpan<char> word)
    {
        ulong hash = (ulong)word.Length;
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(word);
        for (; bytes.Length >= 8; bytes = bytes[8..]) hash = Mix(hash ^ MemoryMarshal.Read<ulong>(bytes));
        ulong tail = 0;
        foreach (byte b in bytes) tail = (tail << 8) | b;
        return (int)(Mix(hash ^ tail) >> 50);
    }

    private static ulong Mix(ulong value)
    {
        value *= 0x9E3779B97F4A7C15;
        return value ^ (value >> 29);
    }

    private sealed record Entry(string Word, int[] Ids);
}
