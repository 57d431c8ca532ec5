using Hadal.Kernels.Elementwise;

namespace Hadal.Graph.Cpu.Ops;

internal sealed class CpuSelectLogitRows(CpuBuffer x, CpuBuffer y) : CpuOp
{
    public override unsafe void Run(CpuStep step) => RowOps.GatherRows(step.Pool, x.Matrix(step), step.Batch.LogitRows, y.Matrix(step));
}
