using System.Runtime.Intrinsics;
using Hadal.Jit;
using Hadal.Kernels.Norm;
using Hadal.Kernels.Paging;
using Hadal.Kernels.Rope;
using Hadal.Kernels.Vectors;

namespace Hadal.Kernels.Mla;

public static unsafe partial class MlaNormRopeKvWrite
{
    private static void Dispatch(
        WorkerPool pool, MatrixF32 kvA, ReadOnlySpan<float> normWeight, float eps, MatrixF32 cosSin, bool interleaved, in PagedBatch batch, KvPages pages)
    {
        fixed (float* w = normWeight)
        {
            if (Lanes512.IsSupported)
            {
                Run<Lanes512, Vector512<float>>(pool, kvA, w, normWeight.Length, eps, cosSin, interleaved, batch, pages);
            }
            else if (Lanes256.IsSupported)
            {
                Run<Lanes256, Vector256<float>>(pool, kvA, w, normWeight.Length, eps, cosSin, interleaved, batch, pages);
            }
            else
            {
                Run<Lanes128, Vector128<float>>(pool, kvA, w, normWeight.Length, eps, cosSin, interleaved, batch, pages);
            }
        }
    }

    private static void Run<TLanes, TV>(
        WorkerPool pool, MatrixF32 kvA, float* w, int c, float eps, MatrixF32 cosSin, bool interleaved, in PagedBatch batch, KvPages pages)
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        var work = new Work<TLanes, TV>
        {
            KvA = kvA,
            W = w,
            C = c,
            Eps = eps,
            CosSin = cosSin,
            Interleaved = interleaved,
            Slots = batch.SlotMapping,
            Pages = pages,
        };
        pool.Run(ref work, Split.Crew(pool, 2L * sizeof(float) * batch.NumTokens * pages.Width));
    }

    private struct Work<TLanes, TV> : IWork
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        public MatrixF32 KvA;
        public float* W;
        public int C;
        public float Eps;
        public MatrixF32 CosSin;
        public bool Interleaved;
        public long* Slots;
        public KvPages Pages;

        public readonly void Run(int worker, int numWorkers)
        {
            float* row = Scratch.Worker(KvA.Columns);
            (int from, int to) = Split.Range(KvA.Rows, worker, numWorkers);
            for (int t = from; t < to; t++)
            {
                RmsNorm.NormRow<TLanes, TV>(KvA.Row(t), W, C, Eps, row);
                new ReadOnlySpan<float>(KvA.Row(t) + C, CosSin.Columns).CopyTo(new Span<float>(row + C, CosSin.Columns));
                Rotary<TLanes, TV>.Rotate(row + C, CosSin.Row(t), CosSin.Columns / 2, Interleaved);
                PageWriter<TLanes, TV>.Write(row, KvA.Columns, Pages, (nint)Slots[t] * Pages.Width);
            }
        }
    }
}
