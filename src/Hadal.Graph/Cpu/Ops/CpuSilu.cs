using Hadal.Kernels.Activation;

namespace Hadal.Graph.Cpu.Ops;

internal sealed class CpuSilu(CpuBuffer x, CpuBuffer y) : CpuOp
{
    public override void Run(CpuStep step) => Silu.Forward(step.Pool, x.Matrix(step), y.Matrix(step));
}
