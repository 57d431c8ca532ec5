using Hadal.Kernels.Elementwise;

namespace Hadal.Graph.Cpu.Ops;

internal sealed class CpuAddBias(CpuBuffer x, ReadOnlyMemoryF32 bias, CpuBuffer y) : CpuOp
{
    public override void Run(CpuStep step) => RowOps.AddBias(step.Pool, x.Matrix(step), bias.Span, y.Matrix(step));
}
