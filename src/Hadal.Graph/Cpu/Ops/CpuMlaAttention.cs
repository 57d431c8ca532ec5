using Hadal.Graph.Ir.Ops;
using Hadal.Kernels.Mla;
using Hadal.Kernels.Weights;

namespace Hadal.Graph.Cpu.Ops;

internal sealed class CpuMlaAttention(CpuBuffer q, WeightMatrix kvB, MlaAttentionOp op, CpuBuffer o) : CpuOp
{
    public override void Run(CpuStep step)
        => MlaAttention.Forward(step.Pool, q.Matrix(step), step.Paged, step.Pages[op.Layer], kvB, op.Shape, op.Scale, o.Matrix(step));
}
