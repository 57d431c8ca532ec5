using Hadal.Jit;
using Hadal.Kernels.Weights;

namespace Hadal.Kernels.Mla;

/// <summary>qLatent[t, h, 0..C) = W_UK[h]ᵀ · qNope[t, h]; qLatent[t, h, C..C+R) = qRope[t, h]</summary>
/// <remarks>
/// q: [T, H·(Dn+R)]; kvB as in <see cref="MlaAttention"/>; qLatent: [T, H·(C+R)], not q. Each weight is decoded once a call. Accumulates in f32;
/// a token's result does not depend on T, to the bit. Source: arXiv:2405.04434, "absorbed into W_Q".
/// </remarks>
public static unsafe partial class MlaAbsorbQuery
{
    public static void Forward(WorkerPool pool, MatrixF32 q, in WeightMatrix kvB, MlaShape shape, MatrixF32 qLatent)
    {
        shape.ThrowIfWeightDiffers(kvB);
        ArgumentOutOfRangeException.ThrowIfNotEqual(q.Columns, shape.NumHeads * shape.QkHeadDim, nameof(q));
        ArgumentOutOfRangeException.ThrowIfNotEqual(qLatent.Columns, shape.NumHeads * shape.CacheWidth, nameof(qLatent));
        ArgumentOutOfRangeException.ThrowIfNotEqual(qLatent.Rows, q.Rows, nameof(qLatent));
        if (ProcessIsa.IsScalar)
        {
            ForwardReference(q, kvB, shape, qLatent);
            return;
        }

        Dispatch(pool, q, kvB, shape, qLatent);
    }
}
