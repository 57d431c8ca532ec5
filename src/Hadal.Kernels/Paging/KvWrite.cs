using Hadal.Jit;

namespace Hadal.Kernels.Paging;

/// <summary>Writes rows into a layer's pages: page row of slot_t = [first[t, :], second[t, :]], rounded to the pages' type.</summary>
/// <remarks>Grouped-query attention writes k and v; MLA writes the normed latent and the rotated key. The same bits as the reference.</remarks>
public static unsafe partial class KvWrite
{
    public static void Forward(WorkerPool pool, MatrixF32 first, MatrixF32 second, in PagedBatch batch, KvPages pages)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(first.Columns + second.Columns, pages.Width, nameof(pages));
        ArgumentOutOfRangeException.ThrowIfNotEqual(first.Rows, batch.NumTokens, nameof(first));
        ArgumentOutOfRangeException.ThrowIfNotEqual(second.Rows, batch.NumTokens, nameof(second));
        PagedBatchCheck.ThrowIfSlotsInvalid(batch, pages);
        if (ProcessIsa.IsScalar)
        {
            ForwardReference(first, second, batch, pages);
            return;
        }

        Dispatch(pool, first, second, batch, pages);
    }
}
