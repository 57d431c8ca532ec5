namespace Hadal.Numerics;

/// <summary>Borrowed memory: whoever hands it out keeps it alive.</summary>
public readonly unsafe struct NativeRegion(byte* data, long byteLength)
{
    public byte* Data { get; } = data;

    public long ByteLength { get; } = byteLength;

    /// <summary>Part of it as a span.</summary>
    public Span<byte> Slice(long offset, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, ByteLength - count);
        return new Span<byte>(Data + offset, count);
    }
}
