using Hadal.Graph.Ir.Ops;
using Hadal.Kernels.Mla;

namespace Hadal.Graph.Cpu.Ops;

/// <summary><see cref="CpuMlaLatentAttention"/> over bf16 pages, by a kernel emitted for the model's widths.</summary>
internal sealed class CpuMlaLatentAttentionBf16(CpuBuffer qLatent, MlaLatentAttentionOp op, LatentKernel kernel, CpuBuffer oLatent) : CpuOp
{
    public override void Run(CpuStep step)
        => LatentAttentionBf16.Forward(step.Pool, kernel, qLatent.Matrix(step), step.Paged, step.Pages[op.Layer], op.Scale, oLatent.Matrix(step));
}
