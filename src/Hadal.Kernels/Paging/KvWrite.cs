using Hadal.Jit;

namespace Hadal.Kernels.Paging;

/// <summary>Writes rows into a layer's pages: page row of slot_t = [first[t, :], second[t, :]], rounded to the pages' type.</summary>
/// <remarks>Grouped-query attention writes k and v; MLA writes the normed latent and the rotated key.</remarks>
public static unsafe partial class KvWrite
{
    public static void Forward(WorkerPool pool, MatrixF32 first, MatrixF32 second, in PagedBatch batch, KvPages pages)
        => ForwardReference(first, second, batch, pages);
}
