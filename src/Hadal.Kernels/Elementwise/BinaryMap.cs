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

    /// <summary>One run of elements on the calling thread. Where it begins and ends does not show in the bits.</summary>
    public static void Row<TOp>(float* a, float* b, float* y, int count)
        where TOp : struct, IBinaryOp
    {
        if (Lanes512.IsSupported)
        {
            Row<TOp, Lanes512, Vector512<float>>(a, b, y, count);
        }
        else if (Lanes256.IsSupported)
        {
            Row<TOp, Lanes256, Vector256<float>>(a, b, y, count);
        }
        else
        {
            Row<TOp, Lanes128, Vector128<float>>(a, b, y, count);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Row<TOp, TLanes, TV>(float* a, float* b, float* y, int count)
        where TOp : struct, IBinaryOp
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        int i = 0;
        for (; i + TLanes.Count <= count; i += TLanes.Count)
        {
            TLanes.Store(y + i, TOp.Apply<TLanes, TV>(TLanes.Load(a + i), TLanes.Load(b + i)));
        }

        if (i < count)
        {
            int rest = count - i;
            TLanes.StorePartial(y + i, rest, TOp.Apply<TLanes, TV>(TLanes.LoadPartial(a + i, rest), TLanes.LoadPartial(b + i, rest)));
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

        public readonly void Run(int worker, int numWorkers)
        {
            int pieces = (Y.Columns + PieceColumns - 1) / PieceColumns;
            (int from, int to) = Split.Range(Y.Rows * pieces, worker, numWorkers);
            for (int unit = from; unit < to; unit++)
            {
                (int row, int piece) = Math.DivRem(unit, pieces);
                int i = piece * PieceColumns;
                int end = Math.Min(i + PieceColumns, Y.Columns);
                Row<TOp, TLanes, TV>(A.Row(row) + i, B.Row(row) + i, Y.Row(row) + i, end - i);
            }
        }
    }
}
