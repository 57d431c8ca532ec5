using Hadal.Numerics;

namespace Hadal.Kernels.Cuda;

/// <summary>A row-major matrix in device memory. It borrows: whoever owns the buffer keeps it.</summary>
/// <param name="Data">The first element; kernels want it aligned to 16 bytes.</param>
/// <param name="DType">The elements.</param>
/// <param name="Rows">Rows.</param>
/// <param name="Columns">Columns in use.</param>
/// <param name="Stride">Elements from row to row.</param>
public readonly record struct DeviceMatrix(nint Data, DType DType, int Rows, int Columns, int Stride)
{
    /// <summary>Some of its rows.</summary>
    public DeviceMatrix RowRange(int first, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)first + count, Rows, nameof(count));
        return this with { Data = Data + (nint)((long)first * Stride * ElementBytes), Rows = count };
    }

    /// <summary>Some of its columns, in the same rows.</summary>
    public DeviceMatrix ColumnRange(int first, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)first + count, Columns, nameof(count));
        return this with { Data = Data + (nint)((long)first * ElementBytes), Columns = count };
    }

    private int ElementBytes => DType switch
    {
        DType.F32 or DType.I32 or DType.U32 => 4,
        DType.Bf16 or DType.F16 or DType.I16 or DType.U16 => 2,
        DType.I8 or DType.U8 or DType.F8E4M3 or DType.F8E5M2 or DType.Bool => 1,
        DType.F64 or DType.I64 or DType.U64 => 8,
        _ => throw new InvalidOperationException($"a matrix of {DType} in device memory has no elements of their own size"),
    };
}
