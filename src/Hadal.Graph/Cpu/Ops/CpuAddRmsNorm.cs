using Hadal.Kernels.Norm;

namespace Hadal.Graph.Cpu.Ops;

internal sealed class CpuAddRmsNorm(CpuBuffer x, CpuBuffer residual, ReadOnlyMemoryF32 weight, float eps, CpuBuffer sum, CpuBuffer y) : CpuOp
{
    public override void Run(CpuStep step)
        => RmsNorm.AddForward(step.Pool, x.Matrix(step), residual.Matrix(step), weight.Span, eps, sum.Matrix(step), y.Matrix(step));
}
