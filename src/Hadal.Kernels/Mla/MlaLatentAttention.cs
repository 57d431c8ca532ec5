using Hadal.Jit;
using Hadal.Kernels.Paging;

namespace Hadal.Kernels.Mla;

/// <summary>Attention on the latent itself: oLatent[t, h] = Σ_s softmax_s(scale · qLatent[t, h]·page_s) · page_s[0..C)</summary>
/// <remarks>qLatent: [T, H·(C+R)]; pages: [.., C+R], read once for all heads; oLatent: [T, H·C]. The same sum as <see cref="MlaAttention"/>, with W_UK and W_UV moved out of it.</remarks>
public static unsafe partial class MlaLatentAttention
{
    public static void Forward(WorkerPool pool, MatrixF32 qLatent, in PagedBatch batch, KvPages pages, MlaShape shape, float scale, MatrixF32 oLatent)
        => ForwardReference(qLatent, batch, pages, shape, scale, oLatent);
}
