using System.IO.Hashing;
using System.Runtime.InteropServices;
using Hadal.Jit;
using Hadal.Numerics;
using Microsoft.Win32.SafeHandles;

namespace Hadal.Graph.Cpu.Packing;

/// <summary>Memory, of several regions perhaps, cut into pieces: what workers hash and read at a time, small enough to be in the cache for the one after the other.</summary>
internal sealed class RegionChunks
{
    public const int MaxBytes = 256 << 10;

    private readonly List<(NativeRegion Region, long At, int Count, long Offset)> _chunks = [];
    private readonly UInt128[] _hashes;

    public RegionChunks(params ReadOnlySpan<NativeRegion> regions)
    {
        foreach (NativeRegion region in regions)
        {
            for (long at = 0; at < region.ByteLength; at += MaxBytes)
            {
                int count = (int)Math.Min(MaxBytes, region.ByteLength - at);
                _chunks.Add((region, at, count, ByteLength));
                ByteLength += count;
            }
        }

        _hashes = new UInt128[_chunks.Count];
    }

    public int Count => _chunks.Count;

    public long ByteLength { get; }

    /// <param name="chunk">Which.</param>
    /// <param name="offset">Bytes of all chunks before it.</param>
    public Span<byte> Memory(int chunk, out long offset)
    {
        (NativeRegion region, long at, int count, offset) = _chunks[chunk];
        return region.Slice(at, count);
    }

    /// <summary>Hashes one chunk, for <see cref="CombineHashes"/>.</summary>
    public void HashChunk(int chunk) => _hashes[chunk] = XxHash128.HashToUInt128(Memory(chunk, out _));

    /// <summary>The hash of all, from those of the chunks: the same whoever computed which.</summary>
    public UInt128 CombineHashes() => XxHash128.HashToUInt128(MemoryMarshal.AsBytes(_hashes.AsSpan()));

    /// <summary>The hash of all, by all workers.</summary>
    public UInt128 Hash(WorkerPool pool)
    {
        var work = new ChunkWork(this, null, 0, pool.Split(Count));
        pool.Run(ref work);
        return CombineHashes();
    }

    /// <summary>Fills all from a file and hashes what was read. Split as products will be: a worker first touches, and so has near it, about what it will compute with.</summary>
    /// <exception cref="IOException">The file cannot be read, or ends early.</exception>
    public UInt128 Read(WorkerPool pool, SafeFileHandle file, long firstByte)
    {
        var work = new ChunkWork(this, file, firstByte, pool.Split(Count));
        pool.Run(ref work);
        return CombineHashes();
    }

    public void Clear()
    {
        for (int i = 0; i < Count; i++)
        {
            Memory(i, out _).Clear();
        }
    }

    private readonly struct ChunkWork(RegionChunks chunks, SafeFileHandle? file, long firstByte, WorkSplit split) : IWork
    {
        public void Run(int worker, int numWorkers)
        {
            while (split.Next(worker, out int first, out int count))
            {
                for (int i = first; i < first + count; i++)
                {
                    if (file is not null)
                    {
                        Span<byte> memory = chunks.Memory(i, out long offset);
                        PackFile.ReadExactly(file, memory, firstByte + offset);
                    }

                    chunks.HashChunk(i);
                }
            }
        }
    }
}
