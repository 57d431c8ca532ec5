using Hadal.Kernels.Activation;

namespace Hadal.Graph.Cpu.Ops;

internal sealed class CpuSiluMul(CpuBuffer gate, CpuBuffer up, CpuBuffer y) : CpuOp
{
    public override void Run(CpuStep step) => Silu.MulForward(step.Pool, gate.Matrix(step), up.Matrix(step), y.Matrix(step));
}
