using Hadal.Graph.Ir.Ops;
using Hadal.Kernels.Attention;

namespace Hadal.Graph.Cpu.Ops;

internal sealed class CpuAttention(CpuBuffer q, AttentionOp op, CpuBuffer o) : CpuOp
{
    public override void Run(CpuStep step)
        => PagedAttention.Forward(step.Pool, q.Matrix(step), step.Paged, step.Pages[op.Layer], op.NumHeads, op.NumKvHeads, op.Scale, o.Matrix(step));
}
