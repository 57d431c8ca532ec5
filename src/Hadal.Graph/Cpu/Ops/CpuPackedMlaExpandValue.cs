using Hadal.Kernels.Mla;
using Hadal.Kernels.Packed;

namespace Hadal.Graph.Cpu.Ops;

/// <summary><see cref="CpuMlaExpandValue"/> with W_UV of each head packed.</summary>
internal sealed class CpuPackedMlaExpandValue(CpuBuffer oLatent, PackedHeads heads, MlaShape shape, CpuBuffer o) : CpuOp
{
    public override void Run(CpuStep step)
        => heads.Forward(step.Pool, oLatent.Matrix(step), shape.KvLoraRank, o.Matrix(step), shape.VHeadDim);

    public override void Dispose() => heads.Dispose();
}
