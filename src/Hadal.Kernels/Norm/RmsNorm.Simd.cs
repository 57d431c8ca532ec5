using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hadal.Jit;
using Hadal.Kernels.Vectors;

namespace Hadal.Kernels.Norm;

public static unsafe partial class RmsNorm
{
    private static void Dispatch(WorkerPool pool, MatrixF32 x, MatrixF32 residual, ReadOnlySpan<float> w, float eps, MatrixF32 sum, MatrixF32 y)
    {
        ArgumentOutOfRangeException.ThrowIfZero(w.Length, nameof(w));
        ArgumentOutOfRangeException.ThrowIfNotEqual(x.Columns % w.Length, 0, nameof(w));
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Rows, x.Rows, nameof(y));
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Columns, x.Columns, nameof(y));
        if (ProcessIsa.IsScalar)
        {
            Reference(x, residual, w, eps, sum, y);
            return;
        }

        fixed (float* weight = w)
        {
            if (Lanes512.IsSupported)
            {
                Run<Lanes512, Vector512<float>>(pool, x, residual, weight, w.Length, eps, sum, y);
            }
            else if (Lanes256.IsSupported)
            {
                Run<Lanes256, Vector256<float>>(pool, x, residual, weight, w.Length, eps, sum, y);
            }
            else
            {
                Run<Lanes128, Vector128<float>>(pool, x, residual, weight, w.Length, eps, sum, y);
            }
        }
    }

    private static void Run<TLanes, TV>(WorkerPool pool, MatrixF32 x, MatrixF32 residual, float* w, int d, float eps, MatrixF32 sum, MatrixF32 y)
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        var work = new Work<TLanes, TV> { X = x, Residual = residual, W = w, D = d, Eps = eps, Sum = sum, Y = y };
        pool.Run(ref work, Split.Crew(pool, 2L * sizeof(float) * x.Rows * x.Columns));
    }

    /// <summary>One row: y may be x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void NormRow<TLanes, TV>(float* x, float* w, int d, float eps, float* y)
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        // Four chains, since one multiply-add waits four cycles for the one before it.
        TV s0 = default;
        TV s1 = default;
        TV s2 = default;
        TV s3 = default;
        int i = 0;
        for (; i + (4 * TLanes.Count) <= d; i += 4 * TLanes.Count)
        {
            TV x0 = TLanes.Load(x + i);
            TV x1 = TLanes.Load(x + i + TLanes.Count);
            TV x2 = TLanes.Load(x + i + (2 * TLanes.Count));
            TV x3 = TLanes.Load(x + i + (3 * TLanes.Count));
            s0 = TLanes.MultiplyAdd(x0, x0, s0);
            s1 = TLanes.MultiplyAdd(x1, x1, s1);
            s2 = TLanes.MultiplyAdd(x2, x2, s2);
            s3 = TLanes.MultiplyAdd(x3, x3, s3);
        }

        for (; i < d; i += TLanes.Count)
        {
            TV x0 = TLanes.LoadPartial(x + i, Math.Min(TLanes.Count, d - i));
            s0 = TLanes.MultiplyAdd(x0, x0, s0);
        }

        float squares = TLanes.Sum(TLanes.Add(TLanes.Add(s0, s1), TLanes.Add(s2, s3)));
        TV inverse = TLanes.Broadcast(1 / MathF.Sqrt((squares / d) + eps));
        for (i = 0; i + TLanes.Count <= d; i += TLanes.Count)
        {
            TLanes.Store(y + i, TLanes.Multiply(TLanes.Multiply(TLanes.Load(x + i), inverse), TLanes.Load(w + i)));
        }

        if (i < d)
        {
            int count = d - i;
            TLanes.StorePartial(y + i, count, TLanes.Multiply(TLanes.Multiply(TLanes.LoadPartial(x + i, count), inverse), TLanes.LoadPartial(w + i, count)));
        }
    }

    private struct Work<TLanes, TV> : IWork
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        public MatrixF32 X;
        public MatrixF32 Residual;
        public float* W;
        public int D;
        public float Eps;
        public MatrixF32 Sum;
        public MatrixF32 Y;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Run(int worker, int numWorkers)
        {
            int groups = X.Columns / D;
            (int from, int to) = Split.Range(X.Rows * groups, worker, numWorkers);
            for (int unit = from; unit < to; unit++)
            {
                (int row, int group) = Math.DivRem(unit, groups);
                int column = group * D;
                float* x = X.Row(row) + column;
                if (Sum.Data != null)
                {
                    float* residual = Residual.Row(row) + column;
                    float* sum = Sum.Row(row) + column;
                    int i = 0;
                    for (; i + TLanes.Count <= D; i += TLanes.Count)
                    {
                        TLanes.Store(sum + i, TLanes.Add(TLanes.Load(x + i), TLanes.Load(residual + i)));
                    }

                    for (; i < D; i++)
                    {
                        sum[i] = x[i] + residual[i];
                    }

                    x = sum;
                }

                NormRow<TLanes, TV>(x, W, D, Eps, Y.Row(row) + column);
            }
        }
    }
}
