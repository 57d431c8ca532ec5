using Hadal.Jit;

namespace Hadal.Kernels.Elementwise;

/// <summary>y = a + b, y = a · b over [T, N] f32; y may alias an input.</summary>
public static unsafe partial class RowOps
{
    public static void Add(WorkerPool pool, MatrixF32 a, MatrixF32 b, MatrixF32 y) => AddReference(a, b, y);

    public static void Mul(WorkerPool pool, MatrixF32 a, MatrixF32 b, MatrixF32 y) => MulReference(a, b, y);

    /// <summary>y[t, i] = x[t, i] + bias[i]</summary>
    public static void AddBias(WorkerPool pool, MatrixF32 x, ReadOnlySpan<float> bias, MatrixF32 y) => AddBiasReference(x, bias, y);

    /// <summary>y[i, :] = x[rows[i], :]</summary>
    public static void GatherRows(WorkerPool pool, MatrixF32 x, int* rows, MatrixF32 y)
    {
        for (int i = 0; i < y.Rows; i++)
        {
            x.RowSpan(rows[i]).CopyTo(y.RowSpan(i));
        }
    }
}
