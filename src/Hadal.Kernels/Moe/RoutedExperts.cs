using Hadal.Jit;
using Hadal.Kernels.Weights;

namespace Hadal.Kernels.Moe;

/// <summary>y[t] = residual[t] + Σ_k weights[t, k] · down_e(silu(gate_e·x[t]) · (up_e·x[t])), e = ids[t, k]</summary>
/// <remarks>
/// x, y: [T, D] f32; ids: [T, TopK]; residual: [T, D] or without data, may be y; y may also be x. Tokens are grouped by expert so that each expert's
/// weights are read once a step. scratch: as many floats as <see cref="ScratchFloats"/> says. The sum over k is in the order of k, so a token's
/// result is the same bits in any batch and on any number of workers. Allocates nothing.
/// </remarks>
public static unsafe partial class RoutedExperts
{
    /// <summary>Floats of scratch that a step of <paramref name="numTokens"/> tokens needs: gate, up and output of every (token, k), and the grouping.</summary>
    public static long ScratchFloats(int numTokens, int topK, int hidden, int intermediate)
        => ((long)numTokens * topK * ((2L * intermediate) + hidden + 4)) + 1;

    /// <summary>Grouped by expert, three parallel regions: gate, up and SiLU·mul; down; the weighted sum.</summary>
    public static void Forward(WorkerPool pool, MatrixF32 x, int* ids, MatrixF32 weights, ExpertWeights experts, MatrixF32 residual, float* scratch, MatrixF32 y)
    {
        CheckShapes(x, ids, weights, experts, residual, scratch, y);
        if (ProcessIsa.IsScalar)
        {
            ForwardReference(x, ids, weights, experts, residual, y);
            return;
        }

        if (x.Rows > 0)
        {
            ForwardGrouped(pool, x, ids, weights, experts, residual, scratch, y);
        }
    }

    /// <summary>The unfused form: one token, one expert, one matmul at a time. The same result to the bit.</summary>
    public static void ForwardTokenwise(WorkerPool pool, MatrixF32 x, int* ids, MatrixF32 weights, ExpertWeights experts, MatrixF32 residual, float* scratch, MatrixF32 y)
    {
        CheckShapes(x, ids, weights, experts, residual, scratch, y);
        if (ProcessIsa.IsScalar)
        {
            ForwardReference(x, ids, weights, experts, residual, y);
            return;
        }

        ForwardTokenByToken(pool, x, ids, weights, experts, residual, scratch, y);
    }

    private static void CheckShapes(MatrixF32 x, int* ids, MatrixF32 weights, ExpertWeights experts, MatrixF32 residual, float* scratch, MatrixF32 y)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(experts.Up.Length, experts.NumExperts, nameof(experts));
        ArgumentOutOfRangeException.ThrowIfNotEqual(experts.Down.Length, experts.NumExperts, nameof(experts));
        ArgumentOutOfRangeException.ThrowIfZero(experts.NumExperts, nameof(experts));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(experts.NumExperts, MaxExperts, nameof(experts));
        ArgumentOutOfRangeException.ThrowIfNotEqual(weights.Rows, x.Rows, nameof(weights));
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Rows, x.Rows, nameof(y));
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Columns, x.Columns, nameof(y));
        if (residual.Data != null)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual(residual.Rows, x.Rows, nameof(residual));
            ArgumentOutOfRangeException.ThrowIfNotEqual(residual.Columns, x.Columns, nameof(residual));
        }

        if (x.Rows == 0)
        {
            return;
        }

        ArgumentNullException.ThrowIfNull(ids);
        ArgumentNullException.ThrowIfNull(scratch);
        int inner = experts.Gate[0].Rows;
        for (int i = 0; i < x.Rows * weights.Columns; i++)
        {
            int e = ids[i];
            if ((uint)e >= (uint)experts.NumExperts)
            {
                throw new ArgumentOutOfRangeException(nameof(ids), e, $"token {i / weights.Columns} chose an expert that is not one of {experts.NumExperts}");
            }

            // A layer has up to 256 experts, a step of one token uses a few: only those are looked at.
            CheckExpert(experts.Gate[e], inner, x.Columns);
            CheckExpert(experts.Up[e], inner, x.Columns);
            CheckExpert(experts.Down[e], x.Columns, inner);
        }
    }

    private static void CheckExpert(in WeightMatrix expert, int rows, int columns)
    {
        WeightDecoder.Validate(expert, nameof(expert));
        ArgumentOutOfRangeException.ThrowIfNotEqual(expert.Rows, rows, nameof(expert));
        ArgumentOutOfRangeException.ThrowIfNotEqual(expert.Columns, columns, nameof(expert));
    }
}
