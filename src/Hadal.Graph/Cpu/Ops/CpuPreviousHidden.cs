using Hadal.Kernels.Elementwise;

namespace Hadal.Graph.Cpu.Ops;

internal sealed class CpuPreviousHidden(CpuBuffer output) : CpuOp
{
    public override unsafe void Run(CpuStep step) => RowOps.GatherRows(step.Pool, step.PreviousHidden, step.PreviousRows, output.Matrix(step));
}
