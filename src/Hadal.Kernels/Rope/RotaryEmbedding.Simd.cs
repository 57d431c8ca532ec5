using System.Runtime.Intrinsics;
using Hadal.Jit;
using Hadal.Kernels.Vectors;

namespace Hadal.Kernels.Rope;

public static unsafe partial class RotaryEmbedding
{
    private static void Dispatch(WorkerPool pool, MatrixF32 x, MatrixF32 cosSin, int numHeads, int start, bool interleaved, MatrixF32 y)
    {
        if (Lanes512.IsSupported)
        {
            Run<Lanes512, Vector512<float>>(pool, x, cosSin, numHeads, start, interleaved, y);
        }
        else if (Lanes256.IsSupported)
        {
            Run<Lanes256, Vector256<float>>(pool, x, cosSin, numHeads, start, interleaved, y);
        }
        else
        {
            Run<Lanes128, Vector128<float>>(pool, x, cosSin, numHeads, start, interleaved, y);
        }
    }

    private static void Run<TLanes, TV>(WorkerPool pool, MatrixF32 x, MatrixF32 cosSin, int numHeads, int start, bool interleaved, MatrixF32 y)
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        var work = new Work<TLanes, TV> { X = x, CosSin = cosSin, NumHeads = numHeads, Start = start, Interleaved = interleaved, Y = y };
        pool.Run(ref work, Split.Crew(pool, 2L * sizeof(float) * x.Rows * x.Columns));
    }

    private struct Work<TLanes, TV> : IWork
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        public MatrixF32 X;
        public MatrixF32 CosSin;
        public int NumHeads;
        public int Start;
        public bool Interleaved;
        public MatrixF32 Y;

        public readonly void Run(int worker, int numWorkers)
        {
            int headDim = X.Columns / NumHeads;
            (int from, int to) = Split.Range(X.Rows, worker, numWorkers);
            for (int t = from; t < to; t++)
            {
                if (Y.Row(t) != X.Row(t))
                {
                    X.RowSpan(t).CopyTo(Y.RowSpan(t));
                }

                for (int h = 0; h < NumHeads; h++)
                {
                    Rotary<TLanes, TV>.Rotate(Y.Row(t) + (h * headDim) + Start, CosSin.Row(t), CosSin.Columns / 2, Interleaved);
                }
            }
        }
    }
}
