using Hadal.Kernels.Attention.Emitted;

namespace Hadal.Graph.Cpu.Ops;

/// <summary>Grouped-query or latent attention over bf16 pages, by a kernel emitted for the model's shape.</summary>
internal sealed class CpuEmittedAttention(CpuBuffer q, int layer, float scale, AttentionKernel kernel, CpuBuffer o) : CpuOp
{
    public override void Run(CpuStep step)
        => EmittedAttention.Forward(step.Pool, kernel, q.Matrix(step), step.Paged, step.Pages[layer], scale, o.Matrix(step));
}
