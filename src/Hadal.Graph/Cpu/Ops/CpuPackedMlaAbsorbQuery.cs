using Hadal.Kernels;
using Hadal.Kernels.Mla;
using Hadal.Kernels.Packed;

namespace Hadal.Graph.Cpu.Ops;

/// <summary><see cref="CpuMlaAbsorbQuery"/> with W_UKᵀ of each head packed.</summary>
internal sealed class CpuPackedMlaAbsorbQuery(CpuBuffer q, PackedHeads heads, MlaShape shape, CpuBuffer qLatent) : CpuOp
{
    public override unsafe void Run(CpuStep step)
    {
        MatrixF32 x = q.Matrix(step);
        MatrixF32 y = qLatent.Matrix(step);
        heads.Forward(step.Pool, x, shape.QkHeadDim, y, shape.CacheWidth);
        for (int t = 0; t < x.Rows; t++)
        {
            for (int h = 0; h < shape.NumHeads; h++)
            {
                float* rope = x.Row(t) + ((nint)h * shape.QkHeadDim) + shape.QkNopeHeadDim;
                float* target = y.Row(t) + ((nint)h * shape.CacheWidth) + shape.KvLoraRank;
                new ReadOnlySpan<float>(rope, shape.QkRopeHeadDim).CopyTo(new Span<float>(target, shape.QkRopeHeadDim));
            }
        }
    }

    public override void Dispose() => heads.Dispose();
}
