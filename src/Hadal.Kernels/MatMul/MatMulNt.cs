using Hadal.Jit;
using Hadal.Kernels.Weights;

namespace Hadal.Kernels.MatMul;

/// <summary>y[t, n] = Σ_k x[t, k] · W[n, k] (+ bias[n] + residual[t, n])</summary>
/// <remarks>
/// x: [T, K] f32; W: [N, K] in any stored type, given as parts joined along N (q|k|v, gate|up) so that joining copies nothing; y: [T, N] f32.
/// y may be the residual; it may not alias x. Accumulates in f32. Allocates nothing; thread-safe for distinct outputs.
/// </remarks>
public static unsafe partial class MatMulNt
{
    public static void Forward(WorkerPool pool, MatrixF32 x, ReadOnlySpan<WeightMatrix> parts, in MatMulEpilogue epilogue, MatrixF32 y)
        => ForwardReference(x, parts, epilogue, y);
}
