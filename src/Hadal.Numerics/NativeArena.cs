namespace Hadal.Numerics;

/// <summary>
/// Memory for many weights, handed out side by side from large chunks in pages of 2 MiB, and freed all at once: a layer's matrices are read in the
/// order they lie in, and small ones (a routed expert's) have the large pages that they could not have alone.
/// </summary>
/// <remarks>Not for several threads at once. A chunk costs memory only where it is touched.</remarks>
public sealed unsafe class NativeArena : IDisposable
{
    private const nuint ChunkBytes = 256 << 20;
    private const nuint Alignment = 64;

    private readonly List<NativeBuffer> _chunks = [];
    private nuint _used;

    /// <returns>Zeroed memory, aligned to 64 bytes, good until the arena is disposed.</returns>
    public byte* Take(nuint byteLength)
    {
        nuint size = checked(byteLength + Alignment - 1) / Alignment * Alignment;
        if (_chunks.Count == 0 || _chunks[^1].ByteLength - _used < size)
        {
            _chunks.Add(NativeBuffer.HugePages(Math.Max(size, ChunkBytes)));
            _used = 0;
        }

        byte* memory = _chunks[^1].Pointer + _used;
        _used += size;
        return memory;
    }

    public void Dispose()
    {
        foreach (NativeBuffer chunk in _chunks)
        {
            chunk.Dispose();
        }

        _chunks.Clear();
    }
}
