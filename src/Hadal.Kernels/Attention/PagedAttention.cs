using Hadal.Jit;
using Hadal.Kernels.Paging;

namespace Hadal.Kernels.Attention;

/// <summary>Causal grouped-query attention over paged keys and values: o[t, h] = Σ_s softmax_s(scale · q[t, h]·k[s, h/g]) · v[s, h/g], s ≤ position of t.</summary>
/// <remarks>
/// q: [T, H·D] f32, already rotated; pages: K then V of HKv heads each; o: [T, H·D] f32, not q. Prefill chunks and decode together. Keys of this step are in the pages already.
/// Accumulates in f32. A row's result does not depend on the number of workers nor on the other sequences of the step, to the bit.
/// A value that is not finite spoils the rows of its sequence that share its block, masked or not.
/// </remarks>
public static unsafe partial class PagedAttention
{
    public static void Forward(WorkerPool pool, MatrixF32 q, in PagedBatch batch, KvPages pages, int numHeads, int numKvHeads, float scale, MatrixF32 o)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(numKvHeads);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(numHeads);
        ArgumentOutOfRangeException.ThrowIfNotEqual(numHeads % numKvHeads, 0, nameof(numHeads));
        ArgumentOutOfRangeException.ThrowIfNotEqual(q.Columns % numHeads, 0, nameof(q));
        int d = q.Columns / numHeads;
        ArgumentOutOfRangeException.ThrowIfNotEqual(pages.Width, 2 * numKvHeads * d, nameof(pages));

        if (ProcessIsa.IsScalar)
        {
            ForwardReference(q, batch, pages, numHeads, numKvHeads, scale, o);
            return;
        }

        // 128 rows of queries use each key from L2 often enough to keep the multipliers busy; their tiles still fit there.
        PagedFlash.Forward(pool, q, batch, pages, new(numHeads, numKvHeads, d, d, numKvHeads * d, MaxRows: 128), scale, o);
    }
}
