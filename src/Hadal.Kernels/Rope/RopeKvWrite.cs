using Hadal.Jit;
using Hadal.Kernels.Paging;

namespace Hadal.Kernels.Rope;

/// <summary>Rotates this step's keys and writes them with the values into the pages: <see cref="RotaryEmbedding"/> then <see cref="KvWrite"/>, without the keys' way through memory.</summary>
/// <remarks>k, v: [T, HKv·D] f32, untouched; cosSin: [T, R]; the rotated part of a head is its columns start … start + R. Pages: [.., 2·HKv·D].</remarks>
public static unsafe partial class RopeKvWrite
{
    public static void Forward(
        WorkerPool pool, MatrixF32 k, MatrixF32 v, MatrixF32 cosSin, int numKvHeads, int start, bool interleaved, in PagedBatch batch, KvPages pages)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(k.Columns + v.Columns, pages.Width, nameof(pages));
        ArgumentOutOfRangeException.ThrowIfNotEqual(k.Rows, batch.NumTokens, nameof(k));
        ArgumentOutOfRangeException.ThrowIfNotEqual(v.Rows, batch.NumTokens, nameof(v));
        RotaryEmbedding.CheckHeads(k, cosSin, numKvHeads, start);
        PagedBatchCheck.ThrowIfSlotsInvalid(batch, pages);
        if (ProcessIsa.IsScalar)
        {
            ForwardReference(k, v, cosSin, numKvHeads, start, interleaved, batch, pages);
            return;
        }

        Dispatch(pool, k, v, cosSin, numKvHeads, start, interleaved, batch, pages);
    }
}
