using System.Runtime.Intrinsics;
using Hadal.Jit;
using Hadal.Kernels.Paging;
using Hadal.Kernels.Vectors;

namespace Hadal.Kernels.Rope;

public static unsafe partial class RopeKvWrite
{
    private static void Dispatch(
        WorkerPool pool, MatrixF32 k, MatrixF32 v, MatrixF32 cosSin, int numKvHeads, int start, bool interleaved, in PagedBatch batch, KvPages pages)
    {
        if (Lanes512.IsSupported)
        {
            Run<Lanes512, Vector512<float>>(pool, k, v, cosSin, numKvHeads, start, interleaved, batch, pages);
        }
        else if (Lanes256.IsSupported)
        {
            Run<Lanes256, Vector256<float>>(pool, k, v, cosSin, numKvHeads, start, interleaved, batch, pages);
        }
        else
        {
            Run<Lanes128, Vector128<float>>(pool, k, v, cosSin, numKvHeads, start, interleaved, batch, pages);
        }
    }

    private static void Run<TLanes, TV>(
        WorkerPool pool, MatrixF32 k, MatrixF32 v, MatrixF32 cosSin, int numKvHeads, int start, bool interleaved, in PagedBatch batch, KvPages pages)
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        var work = new Work<TLanes, TV>
        {
            K = k,
            V = v,
            CosSin = cosSin,
            NumKvHeads = numKvHeads,
            Start = start,
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
        public MatrixF32 K;
        public MatrixF32 V;
        public MatrixF32 CosSin;
        public int NumKvHeads;
        public int Start;
        public bool Interleaved;
        public long* Slots;
        public KvPages Pages;

        public readonly void Run(int worker, int numWorkers)
        {
            float* rotated = Scratch.Worker(K.Columns);
            int headDim = K.Columns / NumKvHeads;
            (int from, int to) = Split.Range(K.Rows, worker, numWorkers);
            for (int t = from; t < to; t++)
            {
                K.RowSpan(t).CopyTo(new Span<float>(rotated, K.Columns));
                for (int h = 0; h < NumKvHeads; h++)
                {
                    Rotary<TLanes, TV>.Rotate(rotated + (h * headDim) + Start, CosSin.Row(t), CosSin.Columns / 2, Interleaved);
                }

                nint at = (nint)Slots[t] * Pages.Width;
                PageWriter<TLanes, TV>.Write(rotated, K.Columns, Pages, at);
                PageWriter<TLanes, TV>.Write(V.Row(t), V.Columns, Pages, at + K.Columns);
            }
        }
    }
}
