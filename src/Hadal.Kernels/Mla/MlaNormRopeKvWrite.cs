using Hadal.Jit;
using Hadal.Kernels.Paging;

namespace Hadal.Kernels.Mla;

/// <summary>page row of slot_t = [rmsnorm(kvA[t, 0..C)) · w, rope(kvA[t, C..C+R))]: norm, rotation and cache write of MLA's down-projection in one pass.</summary>
/// <remarks>kvA: [T, C+R] f32, untouched; w: [C]; cosSin: [T, R]. interleaved as in <see cref="Rope.RotaryEmbedding"/>. Pages: [.., C+R].</remarks>
public static unsafe partial class MlaNormRopeKvWrite
{
    public static void Forward(
        WorkerPool pool, MatrixF32 kvA, ReadOnlySpan<float> normWeight, float eps, MatrixF32 cosSin, bool interleaved, in PagedBatch batch, KvPages pages)
    {
        ArgumentOutOfRangeException.ThrowIfZero(normWeight.Length, nameof(normWeight));
        ArgumentOutOfRangeException.ThrowIfNotEqual(kvA.Columns, normWeight.Length + cosSin.Columns, nameof(kvA));
        ArgumentOutOfRangeException.ThrowIfNotEqual(kvA.Columns, pages.Width, nameof(pages));
        ArgumentOutOfRangeException.ThrowIfNotEqual(kvA.Rows, batch.NumTokens, nameof(kvA));
        ArgumentOutOfRangeException.ThrowIfLessThan(cosSin.Rows, kvA.Rows, nameof(cosSin));
        ArgumentOutOfRangeException.ThrowIfNotEqual(cosSin.Columns % 2, 0, nameof(cosSin));
        PagedBatchCheck.ThrowIfSlotsInvalid(batch, pages);
        if (ProcessIsa.IsScalar)
        {
            ForwardReference(kvA, normWeight, eps, cosSin, interleaved, batch, pages);
            return;
        }

        Dispatch(pool, kvA, normWeight, eps, cosSin, interleaved, batch, pages);
    }
}
