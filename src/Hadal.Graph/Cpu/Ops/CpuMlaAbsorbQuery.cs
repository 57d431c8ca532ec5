using Hadal.Kernels.Mla;
using Hadal.Kernels.Weights;

namespace Hadal.Graph.Cpu.Ops;

internal sealed class CpuMlaAbsorbQuery(CpuBuffer q, WeightMatrix kvB, MlaShape shape, CpuBuffer qLatent) : CpuOp
{
    public override void Run(CpuStep step)
        => MlaAbsorbQuery.Forward(step.Pool, q.Matrix(step), kvB, shape, qLatent.Matrix(step));
}
