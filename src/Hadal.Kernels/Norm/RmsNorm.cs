using Hadal.Jit;

namespace Hadal.Kernels.Norm;

/// <summary>y[t, g, d] = x[t, g, d] / sqrt(mean_d(x[t, g, :]²) + eps) · w[d]</summary>
/// <remarks>
/// x, y: [T, G·D] f32, w: [D] f32; G = 1 for hidden states, the number of heads for q and k norms. y may alias x.
/// Sums squares in f32: elements must stay below 1e19. Source: arXiv:1910.07467. Thread-safe; allocates nothing.
/// </remarks>
public static unsafe partial class RmsNorm
{
    public static void Forward(WorkerPool pool, MatrixF32 x, ReadOnlySpan<float> w, float eps, MatrixF32 y)
        => Dispatch(pool, x, residual: default, w, eps, sum: default, y);

    /// <summary>sum = x + residual; y = norm(sum) · w. <paramref name="sum"/> may alias <paramref name="x"/> or <paramref name="residual"/>, y any of the three.</summary>
    public static void AddForward(WorkerPool pool, MatrixF32 x, MatrixF32 residual, ReadOnlySpan<float> w, float eps, MatrixF32 sum, MatrixF32 y)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(residual.Rows, x.Rows, nameof(residual));
        ArgumentOutOfRangeException.ThrowIfNotEqual(residual.Columns, x.Columns, nameof(residual));
        ArgumentOutOfRangeException.ThrowIfNotEqual(sum.Rows, x.Rows, nameof(sum));
        ArgumentOutOfRangeException.ThrowIfNotEqual(sum.Columns, x.Columns, nameof(sum));
        Dispatch(pool, x, residual, w, eps, sum, y);
    }
}
