using Hadal.Numerics;

namespace Hadal.Kernels;

/// <summary>A float32 matrix that owns its memory, zeroed, rows side by side.</summary>
public sealed unsafe class OwnedMatrixF32 : IDisposable
{
    private readonly NativeBuffer _buffer;

    public OwnedMatrixF32(int rows, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        _buffer = NativeBuffer.HugePages(checked((nuint)rows * (nuint)columns * sizeof(float)));
        Matrix = new MatrixF32(_buffer.As<float>(), rows, columns, columns);
    }

    /// <summary>Valid until this is disposed.</summary>
    public MatrixF32 Matrix { get; }

    public int Rows => Matrix.Rows;

    public int Columns => Matrix.Columns;

    public Span<float> Row(int row)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)Rows, nameof(row));
        return Matrix.RowSpan(row);
    }

    public void Dispose() => _buffer.Dispose();
}
