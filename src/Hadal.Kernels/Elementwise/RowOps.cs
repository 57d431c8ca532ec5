using Hadal.Jit;
using Hadal.Kernels.Vectors;

namespace Hadal.Kernels.Elementwise;

/// <summary>y = a + b, y = a · b over [T, N] f32; y may alias an input. The same bits as the reference.</summary>
public static unsafe partial class RowOps
{
    public static void Add(WorkerPool pool, MatrixF32 a, MatrixF32 b, MatrixF32 y)
    {
        if (ProcessIsa.IsScalar)
        {
            AddReference(a, b, y);
            return;
        }

        BinaryMap.Run<AddOp>(pool, a, b, y);
    }

    public static void Mul(WorkerPool pool, MatrixF32 a, MatrixF32 b, MatrixF32 y)
    {
        if (ProcessIsa.IsScalar)
        {
            MulReference(a, b, y);
            return;
        }

        BinaryMap.Run<MulOp>(pool, a, b, y);
    }

    /// <summary>y[t, i] = x[t, i] + bias[i]</summary>
    public static void AddBias(WorkerPool pool, MatrixF32 x, ReadOnlySpan<float> bias, MatrixF32 y)
    {
        if (ProcessIsa.IsScalar)
        {
            AddBiasReference(x, bias, y);
            return;
        }

        fixed (float* p = bias)
        {
            BinaryMap.Run<AddOp>(pool, x, new MatrixF32(p, x.Rows, bias.Length, stride: 0), y);
        }
    }

    /// <summary>y[i, :] = x[rows[i], :]; y may not alias x.</summary>
    public static void GatherRows(WorkerPool pool, MatrixF32 x, int* rows, MatrixF32 y)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(x.Columns, y.Columns, nameof(y));
        for (int i = 0; i < y.Rows; i++)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(rows[i], nameof(rows));
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(rows[i], x.Rows, nameof(rows));
        }

        var work = new GatherWork { X = x, Rows = rows, Y = y };
        pool.Run(ref work, Split.Crew(pool, 2L * sizeof(float) * y.Rows * y.Columns));
    }

    private struct GatherWork : IWork
    {
        public MatrixF32 X;
        public int* Rows;
        public MatrixF32 Y;

        public readonly void Run(int worker, int numWorkers)
        {
            (int from, int to) = Split.Range(Y.Rows, worker, numWorkers);
            for (int i = from; i < to; i++)
            {
                X.RowSpan(Rows[i]).CopyTo(Y.RowSpan(i));
            }
        }
    }
}
