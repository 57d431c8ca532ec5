using System.Runtime.Intrinsics;
using Hadal.Jit;
using Hadal.Kernels.Vectors;

namespace Hadal.Kernels.Paging;

public static unsafe partial class KvWrite
{
    private static void Dispatch(WorkerPool pool, MatrixF32 first, MatrixF32 second, in PagedBatch batch, KvPages pages)
    {
        if (Lanes512.IsSupported)
        {
            Run<Lanes512, Vector512<float>>(pool, first, second, batch, pages);
        }
        else if (Lanes256.IsSupported)
        {
            Run<Lanes256, Vector256<float>>(pool, first, second, batch, pages);
        }
        else
        {
            Run<Lanes128, Vector128<float>>(pool, first, second, batch, pages);
        }
    }

    private static void Run<TLanes, TV>(WorkerPool pool, MatrixF32 first, MatrixF32 second, in PagedBatch batch, KvPages pages)
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        var work = new Work<TLanes, TV> { First = first, Second = second, Slots = batch.SlotMapping, Pages = pages };
        pool.Run(ref work, Split.Crew(pool, 2L * sizeof(float) * batch.NumTokens * pages.Width));
    }

    private struct Work<TLanes, TV> : IWork
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        public MatrixF32 First;
        public MatrixF32 Second;
        public long* Slots;
        public KvPages Pages;

        public readonly void Run(int worker, int numWorkers)
        {
            (int from, int to) = Split.Range(First.Rows, worker, numWorkers);
            for (int t = from; t < to; t++)
            {
                nint at = (nint)Slots[t] * Pages.Width;
                PageWriter<TLanes, TV>.Write(First.Row(t), First.Columns, Pages, at);
                PageWriter<TLanes, TV>.Write(Second.Row(t), Second.Columns, Pages, at + First.Columns);
            }
        }
    }
}
