using Hadal.Jit;
using Hadal.Kernels.Weights;

namespace Hadal.Kernels.Mla;

/// <summary>o[t, h] = W_UV[h] · oLatent[t, h]</summary>
/// <remarks>oLatent: [T, H·C]; kvB as in <see cref="MlaAttention"/>; o: [T, H·Dv].</remarks>
public static unsafe partial class MlaExpandValue
{
    public static void Forward(WorkerPool pool, MatrixF32 oLatent, in WeightMatrix kvB, MlaShape shape, MatrixF32 o)
        => ForwardReference(oLatent, kvB, shape, o);
}
