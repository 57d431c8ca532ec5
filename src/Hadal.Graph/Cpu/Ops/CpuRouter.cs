using Hadal.Kernels.Moe;

namespace Hadal.Graph.Cpu.Ops;

internal sealed class CpuRouter(CpuBuffer logits, ReadOnlyMemoryF32 correctionBias, RouterConfig config, CpuBuffer ids, CpuBuffer weights) : CpuOp
{
    public override unsafe void Run(CpuStep step)
        => TopKRouter.Forward(step.Pool, logits.Matrix(step), correctionBias.Span, config, ids.Int32(step), weights.Matrix(step));
}
