namespace Hadal.Kernels;

/// <summary>A borrowed float32 matrix, row-major: row r starts at element r * Stride.</summary>
/// <param name="data">First element.</param>
/// <param name="rows">Rows.</param>
/// <param name="columns">Columns that count.</param>
/// <param name="stride">Elements from one row to the next; at least <paramref name="columns"/>.</param>
public readonly unsafe struct MatrixF32(float* data, int rows, int columns, nint stride)
{
    public float* Data { get; } = data;

    public int Rows { get; } = rows;

    public int Columns { get; } = columns;

    public nint Stride { get; } = stride;

    public float* Row(int row) => Data + (row * Stride);

    /// <summary>Columns [from, from + count): a view.</summary>
    public MatrixF32 SliceColumns(int from, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(from);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)from + count, Columns, nameof(count));
        return new MatrixF32(Data + from, Rows, count, Stride);
    }

    public Span<float> RowSpan(int row) => new(Row(row), Columns);
}
