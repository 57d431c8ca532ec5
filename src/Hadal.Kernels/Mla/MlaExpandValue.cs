using Hadal.Jit;
using Hadal.Kernels.Weights;

namespace Hadal.Kernels.Mla;

/// <summary>o[t, h] = W_UV[h] · oLatent[t, h]</summary>
/// <remarks>oLatent: [T, H·C]; kvB as in <see cref="MlaAttention"/>; o: [T, H·Dv], not oLatent. Each weight is decoded once a call. A token's result does not depend on T, to the bit.</remarks>
public static unsafe partial class MlaExpandValue
{
    public static void Forward(WorkerPool pool, MatrixF32 oLatent, in WeightMatrix kvB, MlaShape shape, MatrixF32 o)
    {
        shape.ThrowIfWeightDiffers(kvB);
        ArgumentOutOfRangeException.ThrowIfNotEqual(oLatent.Columns, shape.NumHeads * shape.KvLoraRank, nameof(oLatent));
        ArgumentOutOfRangeException.ThrowIfNotEqual(o.Columns, shape.NumHeads * shape.VHeadDim, nameof(o));
        ArgumentOutOfRangeException.ThrowIfNotEqual(o.Rows, oLatent.Rows, nameof(o));
        if (ProcessIsa.IsScalar)
        {
            ForwardReference(oLatent, kvB, shape, o);
            return;
        }

        Dispatch(pool, oLatent, kvB, shape, o);
    }
}
