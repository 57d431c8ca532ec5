using Hadal.Kernels.Norm;

namespace Hadal.Graph.Cpu.Ops;

internal sealed class CpuRmsNorm(CpuBuffer x, ReadOnlyMemoryF32 weight, float eps, CpuBuffer y) : CpuOp
{
    public override void Run(CpuStep step) => RmsNorm.Forward(step.Pool, x.Matrix(step), weight.Span, eps, y.Matrix(step));
}
