using Hadal.Jit;
using Hadal.Kernels.Paging;

namespace Hadal.Kernels.Attention;

/// <summary>Causal grouped-query attention over paged keys and values: o[t, h] = Σ_s softmax_s(scale · q[t, h]·k[s, h/g]) · v[s, h/g], s ≤ position of t.</summary>
/// <remarks>q: [T, H·D] f32, already rotated; pages: K then V of HKv heads each; o: [T, H·D] f32. Prefill chunks and decode together. Keys of this step are in the pages already.</remarks>
public static unsafe partial class PagedAttention
{
    public static void Forward(WorkerPool pool, MatrixF32 q, in PagedBatch batch, KvPages pages, int numHeads, int numKvHeads, float scale, MatrixF32 o)
        => ForwardReference(q, batch, pages, numHeads, numKvHeads, scale, o);
}
