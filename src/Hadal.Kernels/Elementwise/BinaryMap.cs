using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hadal.Jit;
using Hadal.Kernels.Vectors;

namespace Hadal.Kernels.Elementwise;

/// <summary>y[t, i] = op(a[t, i], b[t, i]); a stride of 0 repeats one row.</summary>
internal static unsafe class BinaryMap
{
    // Single long rows (decode) are shared out in pieces of this many columns.
    private const int PieceColumns = 2048;

    public static void Run<TOp>(WorkerPool pool, MatrixF32 a, MatrixF32 b, MatrixF32 y)
        where TOp : struct, IBinaryOp
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(a.Rows, y.Rows, nameof(a));
        ArgumentOutOfRangeException.ThrowIfNotEqual(b.Rows, y.Rows, nameof(b));
        ArgumentOutOfRangeException.ThrowIfNotEqual(a.Columns, y.Columns, nameof(a));
        ArgumentOutOfRangeException.ThrowIfNotEqual(b.Columns, y.Columns, nameof(b));
        if (Lanes512.IsSupported)
        {
            Run<TOp, Lanes512, Vector512<float>>(pool, a, b, y);
        }
        else if (Lanes256.IsSupported)
        {
            Run<TOp, Lanes256, Vector256<float>>(pool, a, b, y);
        }
        else
        {
            Run<TOp, Lanes128, Vector128<float>>(pool, a, b, y);
        }
    }

    private static void Run<TOp, TLanes, TV>(WorkerPool pool, MatrixF32 a, MatrixF32 b, MatrixF32 y)
        where TOp : struct, IBinaryOp
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        var work = new Work<TOp, TLanes, TV> { A = a, B = b, Y = y };
        pool.Run(ref work, Split.Crew(pool, 3L * sizeof(float) * y.Rows * y.Columns));
    }

    private struct Work<TOp, TLanes, TV> : IWork
        where TOp : struct, IBinaryOp
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        public MatrixF32 A;
        public MatrixF32 B;
        public MatrixF32 Y;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Run(int worker, int numWorkers)
        {
            int pieces = (Y.Columns + PieceColumns - 1) / PieceColumns;
            (int from, int to) = Split.Range(Y.Rows * pieces, worker, numWorkers);
            for (int unit = from; unit < to; unit++)
            {
                (int row, int piece) = Math.DivRem(unit, pieces);
                int i = piece * PieceColumns;
                int end = Math.Min(i + PieceColumns, Y.Columns);
                float* a = A.Row(row);
                float* b = B.Row(row);
                float* y = Y.Row(row);
                for (; i + TLanes.Count <= end; i += TLanes.Count)
                {
                    TLanes.Store(y + i, TOp.Apply<TLanes, TV>(TLanes.Load(a + i), TLanes.Load(b + i)));
                }

                if (i < end)
                {
                    int count = end - i;
                    TLanes.StorePartial(y + i, count, TOp.Apply<TLanes, TV>(TLanes.LoadPartial(a + i, count), TLanes.LoadPartial(b + i, count)));
                }
            }
        }
    }
}
