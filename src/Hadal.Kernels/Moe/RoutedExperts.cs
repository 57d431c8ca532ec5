using Hadal.Jit;

namespace Hadal.Kernels.Moe;

/// <summary>y[t] = residual[t] + Σ_k weights[t, k] · down_e(silu(gate_e·x[t]) · (up_e·x[t])), e = ids[t, k]</summary>
/// <remarks>
/// x, y: [T, D] f32; ids: [T, TopK]; residual: [T, D] or without data, may be y. Tokens are grouped by expert so that each expert's weights are read once a step.
/// scratch: as many floats as <see cref="ScratchFloats"/> says.
/// </remarks>
public static unsafe partial class RoutedExperts
{
    /// <summary>Floats of scratch that a step of <paramref name="numTokens"/> tokens needs.</summary>
    public static long ScratchFloats(int numTokens, int topK, int hidden, int intermediate)
        => (long)numTokens * topK * ((2 * intermediate) + (2 * hidden) + 8);

    public static void Forward(WorkerPool pool, MatrixF32 x, int* ids, MatrixF32 weights, ExpertWeights experts, MatrixF32 residual, float* scratch, MatrixF32 y)
        => ForwardReference(x, ids, weights, experts, residual, y);

    public static void ForwardTokenwise(WorkerPool pool, MatrixF32 x, int* ids, MatrixF32 weights, ExpertWeights experts, MatrixF32 residual, float* scratch, MatrixF32 y)
        => ForwardReference(x, ids, weights, experts, residual, y);
}
