using Hadal.Kernels.Elementwise;

namespace Hadal.Graph.Cpu.Ops;

internal sealed class CpuMul(CpuBuffer a, CpuBuffer b, CpuBuffer y) : CpuOp
{
    public override void Run(CpuStep step) => RowOps.Mul(step.Pool, a.Matrix(step), b.Matrix(step), y.Matrix(step));
}
