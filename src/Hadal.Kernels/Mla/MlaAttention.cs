using Hadal.Jit;
using Hadal.Kernels.Paging;
using Hadal.Kernels.Weights;

namespace Hadal.Kernels.Mla;

/// <summary>
/// Multi-head latent attention as the paper writes it: keys and values of each head are expanded from the latent,
/// k[s, h] = [W_UK[h]·c_s ; k_rope_s], v[s, h] = W_UV[h]·c_s, then causal attention. Nothing expanded is kept.
/// </summary>
/// <remarks>
/// q: [T, H·(Dn+R)] f32, rope part rotated; pages: [.., C+R] latent (normed) then rotated key; kvB: [H·(Dn+Dv), C], per head W_UK above W_UV; o: [T, H·Dv], not q.
/// Source: arXiv:2405.04434, section 2.1.2. Compiled programs use the absorbed form (<see cref="MlaAbsorbQuery"/>, <see cref="MlaLatentAttention"/>,
/// <see cref="MlaExpandValue"/>).
/// </remarks>
public static unsafe partial class MlaAttention
{
    public static void Forward(WorkerPool pool, MatrixF32 q, in PagedBatch batch, KvPages pages, in WeightMatrix kvB, MlaShape shape, float scale, MatrixF32 o)
    {
        shape.ThrowIfWeightDiffers(kvB);
        PagedBatchCheck.ThrowIfInvalid(batch, pages);
        ArgumentOutOfRangeException.ThrowIfNotEqual(pages.Width, shape.CacheWidth, nameof(pages));
        ArgumentOutOfRangeException.ThrowIfNotEqual(q.Rows, batch.NumTokens, nameof(q));
        ArgumentOutOfRangeException.ThrowIfNotEqual(o.Rows, batch.NumTokens, nameof(o));
        ArgumentOutOfRangeException.ThrowIfNotEqual(q.Columns, shape.NumHeads * shape.QkHeadDim, nameof(q));
        ArgumentOutOfRangeException.ThrowIfNotEqual(o.Columns, shape.NumHeads * shape.VHeadDim, nameof(o));
        if (ProcessIsa.IsScalar)
        {
            ForwardReference(q, batch, pages, kvB, shape, scale, o);
            return;
        }

        Dispatch(pool, q, batch, pages, kvB, shape, scale, o);
    }
}
