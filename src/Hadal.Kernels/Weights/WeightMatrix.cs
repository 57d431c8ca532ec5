using Hadal.Numerics;

namespace Hadal.Kernels.Weights;

/// <summary>A borrowed weight matrix [N, K] as stored, row-major: W[n, k] = decode(Data, n, k) * scale(n, k).</summary>
/// <remarks>Row n starts at Data + n * RowBytes; block types need K to be a whole number of blocks.</remarks>
public readonly unsafe struct WeightMatrix
{
    public required byte* Data { get; init; }

    public required DType DType { get; init; }

    /// <summary>N: rows, outputs.</summary>
    public required int Rows { get; init; }

    /// <summary>K: columns, inputs.</summary>
    public required int Columns { get; init; }

    public required nint RowBytes { get; init; }

    public float* Scales { get; init; }

    public ScaleLayout ScaleLayout { get; init; }

    public int ScaleBlockRows { get; init; }

    public int ScaleBlockColumns { get; init; }

    /// <summary>Scales in one row of blocks.</summary>
    public int ScaleStride { get; init; }

    public byte* Row(int row) => Data + (row * RowBytes);

    /// <summary>Bytes the values take, without the scales.</summary>
    public long ByteLength => (long)Rows * RowBytes;

    /// <summary>The matrix of rows [first, first + count), for scales per row or none, or where <paramref name="first"/> is a whole number of scale blocks.</summary>
    public WeightMatrix SliceRows(int first, int count) => new()
    {
        Data = Row(first),
        DType = DType,
        Rows = count,
        Columns = Columns,
        RowBytes = RowBytes,
        ScaleLayout = ScaleLayout,
        ScaleBlockRows = ScaleBlockRows,
        ScaleBlockColumns = ScaleBlockColumns,
        ScaleStride = ScaleStride,
        Scales = ScaleLayout switch
        {
            ScaleLayout.PerRow => Scales + first,
            ScaleLayout.Block when first % ScaleBlockRows == 0 => Scales + ((nint)(first / ScaleBlockRows) * ScaleStride),
            ScaleLayout.Block => throw new ArgumentException($"row {first} is not a multiple of the scale block's {ScaleBlockRows} rows", nameof(first)),
            _ => null,
        },
    };
}
