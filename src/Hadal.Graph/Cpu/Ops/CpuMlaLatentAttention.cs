using Hadal.Graph.Ir.Ops;
using Hadal.Kernels.Mla;

namespace Hadal.Graph.Cpu.Ops;

internal sealed class CpuMlaLatentAttention(CpuBuffer qLatent, MlaLatentAttentionOp op, CpuBuffer oLatent) : CpuOp
{
    public override void Run(CpuStep step)
        => MlaLatentAttention.Forward(step.Pool, qLatent.Matrix(step), step.Paged, step.Pages[op.Layer], op.Shape, op.Scale, oLatent.Matrix(step));
}
