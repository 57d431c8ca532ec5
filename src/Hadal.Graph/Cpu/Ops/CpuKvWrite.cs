using Hadal.Kernels.Paging;

namespace Hadal.Graph.Cpu.Ops;

internal sealed class CpuKvWrite(CpuBuffer first, CpuBuffer second, int layer) : CpuOp
{
    public override void Run(CpuStep step)
        => KvWrite.Forward(step.Pool, first.Matrix(step), second.Matrix(step), step.Paged, step.Pages[layer]);
}
