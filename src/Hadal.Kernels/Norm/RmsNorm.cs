using Hadal.Jit;

namespace Hadal.Kernels.Norm;

/// <summary>y[t, g, d] = x[t, g, d] / sqrt(mean_d(x[t, g, :]²) + eps) · w[d]</summary>
/// <remarks>
/// x, y: [T, G·D] f32, w: [D] f32; G = 1 for hidden states, the number of heads for q and k norms. y may alias x.
/// Source: arXiv:1910.07467. Thread-safe; allocates nothing.
/// </remarks>
public static unsafe partial class RmsNorm
{
    public static void Forward(WorkerPool pool, MatrixF32 x, ReadOnlySpan<float> w, float eps, MatrixF32 y)
        => ForwardReference(x, w, eps, y);

    /// <summary>sum = x + residual; y = norm(sum) · w. <paramref name="sum"/> may alias <paramref name="x"/> or <paramref name="residual"/>.</summary>
    public static void AddForward(WorkerPool pool, MatrixF32 x, MatrixF32 residual, ReadOnlySpan<float> w, float eps, MatrixF32 sum, MatrixF32 y)
        => AddForwardReference(x, residual, w, eps, sum, y);
}
