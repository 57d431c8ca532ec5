using System.Numerics;
using Hadal.Jit;
using Hadal.Kernels.Vectors;

namespace Hadal.Kernels.Elementwise;

public static unsafe partial class RowOps
{
    /// <summary>y[rows[i], :] += x[i, :]; rows differ from each other, and y may not alias x. The same bits on any number of workers.</summary>
    public static void ScatterAddRows(WorkerPool pool, MatrixF32 x, int* rows, MatrixF32 y)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(x.Columns, y.Columns, nameof(y));
        for (int i = 0; i < x.Rows; i++)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(rows[i], nameof(rows));
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(rows[i], y.Rows, nameof(rows));
        }

        var work = new ScatterAddWork { X = x, Rows = rows, Y = y };
        pool.Run(ref work, Split.Crew(pool, 3L * sizeof(float) * x.Rows * x.Columns));
    }

    private struct ScatterAddWork : IWork
    {
        public MatrixF32 X;
        public int* Rows;
        public MatrixF32 Y;

        public readonly void Run(int worker, int numWorkers)
        {
            (int from, int to) = Split.Range(X.Rows, worker, numWorkers);
            for (int i = from; i < to; i++)
            {
                ReadOnlySpan<float> x = X.RowSpan(i);
                Span<float> y = Y.RowSpan(Rows[i]);
                int c = 0;
                if (!ProcessIsa.IsScalar)
                {
                    for (; c <= x.Length - Vector<float>.Count; c += Vector<float>.Count)
                    {
                        (new Vector<float>(y[c..]) + new Vector<float>(x[c..])).CopyTo(y[c..]);
                    }
                }

                for (; c < x.Length; c++)
                {
                    y[c] += x[c];
                }
            }
        }
    }
}
