using Hadal.Graph.Ir;
using Hadal.Kernels;

namespace Hadal.Graph.Cpu;

/// <summary>A value's place, with what a step needs to make a matrix of it.</summary>
/// <param name="Rows">Which arena.</param>
/// <param name="BytesPerRow">Offset of the root in the arena, per row of capacity.</param>
/// <param name="ColumnOffset">First column within the root.</param>
/// <param name="Columns">Columns.</param>
/// <param name="Stride">Elements from row to row.</param>
public readonly record struct CpuBuffer(RowSymbol Rows, long BytesPerRow, int ColumnOffset, int Columns, int Stride)
{
    public unsafe MatrixF32 Matrix(CpuStep step)
        => new((float*)step.Address(this) + ColumnOffset, step.Rows(Rows), Columns, Stride);

    public unsafe int* Int32(CpuStep step) => (int*)step.Address(this) + ColumnOffset;
}
