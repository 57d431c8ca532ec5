using Hadal.Kernels.Mla;
using Hadal.Kernels.Weights;

namespace Hadal.Graph.Cpu.Ops;

internal sealed class CpuMlaExpandValue(CpuBuffer oLatent, WeightMatrix kvB, MlaShape shape, CpuBuffer o) : CpuOp
{
    public override void Run(CpuStep step)
        => MlaExpandValue.Forward(step.Pool, oLatent.Matrix(step), kvB, shape, o.Matrix(step));
}
