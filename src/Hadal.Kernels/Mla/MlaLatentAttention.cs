using Hadal.Jit;
using Hadal.Kernels.Attention;
using Hadal.Kernels.Paging;

namespace Hadal.Kernels.Mla;

/// <summary>Attention on the latent itself: oLatent[t, h] = Σ_s softmax_s(scale · qLatent[t, h]·page_s) · page_s[0..C)</summary>
/// <remarks>
/// qLatent: [T, H·(C+R)]; pages: [.., C+R], read once for 64 heads together; oLatent: [T, H·C]. The same sum as <see cref="MlaAttention"/>, with W_UK and W_UV moved out of it.
/// Grouped-query attention with one KV head whose value is the front of its key. Guarantees as in <see cref="PagedAttention"/>.
/// </remarks>
public static unsafe partial class MlaLatentAttention
{
    public static void Forward(WorkerPool pool, MatrixF32 qLatent, in PagedBatch batch, KvPages pages, MlaShape shape, float scale, MatrixF32 oLatent)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(shape.NumHeads, nameof(shape));
        ArgumentOutOfRangeException.ThrowIfNotEqual(pages.Width, shape.CacheWidth, nameof(pages));

        if (ProcessIsa.IsScalar)
        {
            ForwardReference(qLatent, batch, pages, shape, scale, oLatent);
            return;
        }

        // 64 rows of 576 columns, their sums and a block of latents take half a megabyte: L2.
        PagedFlash.Forward(pool, qLatent, batch, pages, new(shape.NumHeads, 1, shape.CacheWidth, shape.KvLoraRank, FirstValueColumn: 0, MaxRows: 64), scale, oLatent);
    }
}
