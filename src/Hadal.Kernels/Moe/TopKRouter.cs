using Hadal.Jit;

namespace Hadal.Kernels.Moe;

/// <summary>ids[t, :], weights[t, :] = the TopK experts of token t and what their outputs are weighted with.</summary>
/// <remarks>
/// logits: [T, E] f32; correctionBias: [E] f32 or empty, added to the scores for choosing only; ids: [T, TopK] int32, weights: [T, TopK] f32, best first.
/// Among equal scores the lower id wins. Sources: arXiv:2405.04434 (2.2), 2412.19437 (2.1.2).
/// </remarks>
public static unsafe partial class TopKRouter
{
    public static void Forward(WorkerPool pool, MatrixF32 logits, ReadOnlySpan<float> correctionBias, in RouterConfig config, int* ids, MatrixF32 weights)
    {
        int e = config.NumExperts;
        ArgumentOutOfRangeException.ThrowIfNotEqual(logits.Columns, e, nameof(logits));
        ArgumentOutOfRangeException.ThrowIfNotEqual(weights.Rows, logits.Rows, nameof(weights));
        ArgumentOutOfRangeException.ThrowIfNotEqual(weights.Columns, config.TopK, nameof(weights));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(config.TopK, nameof(config));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(config.TopK, e, nameof(config));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(config.NumGroups, nameof(config));
        ArgumentOutOfRangeException.ThrowIfNotEqual(e % config.NumGroups, 0, nameof(config));
        if (!correctionBias.IsEmpty)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual(correctionBias.Length, e, nameof(correctionBias));
        }

        if (ProcessIsa.IsScalar)
        {
            ForwardReference(logits, correctionBias, config, ids, weights);
            return;
        }

        Dispatch(pool, logits, correctionBias, config, ids, weights);
    }
}
