using Hadal.Jit;
using Hadal.Kernels.MatMul;

namespace Hadal.Kernels.Packed;

/// <summary>y[t, n] = Σ_k x[t, k] · W[n, k] (+ bias[n] + residual[t, n]) over packed weights and prepared activations.</summary>
/// <remarks>
/// Each worker walks a run of neighbouring blocks of 64 rows and helps others out when done (<see cref="WorkSplit"/>). With a few tokens a block is read once from front to back; with many, its columns are
/// walked in runs that stay in the first-level cache while all tokens pass. A token's sums do not depend on what else is in the step.
/// Allocates nothing once scratch has grown.
/// </remarks>
public static class PackedMatMul
{
    /// <param name="pool">Workers.</param>
    /// <param name="kernels">Emitted code.</param>
    /// <param name="x">Activations, prepared for the parts' format.</param>
    /// <param name="parts">Weights joined along N, of the format of <paramref name="x"/>.</param>
    /// <param name="firstColumns">Column of y at which each part's outputs begin.</param>
    /// <param name="epilogue">Added before the store.</param>
    /// <param name="y">[T, columns of all parts].</param>
    public static void Forward(WorkerPool pool, PackedKernels kernels, ActivationTiles x, PackedMatrix[] parts, int[] firstColumns, in MatMulEpilogue epilogue, MatrixF32 y)
    {
        int blocks = 0;
        foreach (PackedMatrix part in parts)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual(part.Columns, x.Columns, nameof(parts));
            ArgumentOutOfRangeException.ThrowIfNotEqual((int)part.Format.Kind, (int)x.Format.Kind, nameof(parts));
            blocks += part.NumBlocks;
        }

        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Rows, x.NumTokens, nameof(y));
        var work = new PackedMatMulWork(kernels, x, parts, firstColumns, epilogue, y, pool.Split(blocks));
        pool.Run(ref work, blocks);
    }
}
