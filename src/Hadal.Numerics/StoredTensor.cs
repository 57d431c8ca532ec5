namespace Hadal.Numerics;

/// <summary>A tensor as it lies in a checkpoint: borrowed bytes, row-major, last dimension contiguous.</summary>
/// <remarks>The memory belongs to the <see cref="ITensorSource"/> that handed it out and lives as long as that does.</remarks>
public sealed unsafe class StoredTensor(string name, DType dtype, long[] shape, byte* data, long byteLength, string origin)
{
    /// <summary>A tensor in a buffer of the caller's, who keeps it alive.</summary>
    public StoredTensor(string name, DType dtype, long[] shape, NativeBuffer buffer, string origin)
        : this(name, dtype, shape, buffer.Pointer, (long)buffer.ByteLength, origin)
    {
    }

    public string Name { get; } = name;

    public DType DType { get; } = dtype;

    public IReadOnlyList<long> Shape { get; } = shape;

    public byte* Data { get; } = data;

    public long ByteLength { get; } = byteLength;

    /// <summary>Where it lies, for error messages: file and offset.</summary>
    public string Origin { get; } = origin;

    public long NumElements
    {
        get
        {
            long n = 1;
            foreach (long d in Shape)
            {
                n = checked(n * d);
            }

            return n;
        }
    }

    /// <summary>The same bytes read as another type or shape.</summary>
    public StoredTensor With(DType dtype, long[] shape) => new(Name, dtype, shape, Data, ByteLength, Origin);

    /// <summary>Part of the bytes.</summary>
    public ReadOnlySpan<byte> Slice(long offset, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, ByteLength - count, nameof(offset));
        return new ReadOnlySpan<byte>(Data + offset, count);
    }

    public override string ToString() => $"{Name} {DType} [{string.Join(", ", Shape)}] ({Origin})";
}
