namespace Hadal.Cuda;

/// <summary>Memory that is handed out piece by piece and given back all at once: weights. One thread.</summary>
public sealed class DeviceArena(CudaContext context) : IDisposable
{
    private const long ChunkBytes = 256L << 20;
    private const long Alignment = 256;

    private readonly List<DeviceBuffer> _chunks = [];
    private long _left;
    private nint _next;

    /// <summary>Bytes held of the card.</summary>
    public long ByteLength { get; private set; }

    /// <returns>256-byte aligned memory, uninitialised.</returns>
    public nint Allocate(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        long rounded = (bytes + Alignment - 1) / Alignment * Alignment;
        if (rounded > _left)
        {
            // What is large gets memory of its own, and leaves the open chunk to what is small.
            DeviceBuffer chunk = context.Allocate(Math.Max(rounded, rounded > ChunkBytes / 4 ? rounded : ChunkBytes));
            _chunks.Add(chunk);
            ByteLength += chunk.ByteLength;
            if (chunk.ByteLength == rounded)
            {
                return chunk.Pointer;
            }

            (_next, _left) = (chunk.Pointer, chunk.ByteLength);
        }

        nint here = _next;
        _next += (nint)rounded;
        _left -= rounded;
        return here;
    }

    public void Dispose()
    {
        foreach (DeviceBuffer chunk in _chunks)
        {
            chunk.Dispose();
        }

        _chunks.Clear();
        _left = 0;
    }
}
