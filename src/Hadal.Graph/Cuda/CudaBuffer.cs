using Hadal.Graph.Ir;
using Hadal.Kernels.Cuda;
using Hadal.Numerics;

namespace Hadal.Graph.Cuda;

/// <summary>A value's place on the card, with what a step needs to make a matrix of it.</summary>
/// <param name="Rows">Which arena.</param>
/// <param name="BytesPerRow">Offset of the root in the arena, per row of capacity.</param>
/// <param name="Type">Of its elements.</param>
/// <param name="ColumnOffset">First column within the root.</param>
/// <param name="Columns">Columns.</param>
/// <param name="Stride">Elements from row to row.</param>
internal readonly record struct CudaBuffer(RowSymbol Rows, long BytesPerRow, ElementType Type, int ColumnOffset, int Columns, int Stride)
{
    public DeviceMatrix Matrix(CudaStep step)
    {
        DType dtype = Type switch
        {
            ElementType.F32 => DType.F32,
            ElementType.I32 => DType.I32,
            _ => DType.Bf16,
        };
        return new DeviceMatrix(step.Address(this) + (ColumnOffset * dtype.BlockBytes), dtype, step.Shape.Rows(Rows), Columns, Stride);
    }
}
