using Hadal.Jit;

namespace Hadal.Kernels.Rope;

/// <summary>Rotates R of the columns of each head: (a, b) → (a·cos − b·sin, b·cos + a·sin) over the pairs of the layout.</summary>
/// <remarks>
/// x, y: [T, H·D] f32; the rotated part of head h is columns h·D + start … + R. y may be x; where it is not, the other columns are copied.
/// cosSin: [T, R] from <see cref="RopeTable"/>. interleaved: pairs (2i, 2i+1), else (i, i + R/2). Source: arXiv:2104.09864.
/// </remarks>
public static unsafe partial class RotaryEmbedding
{
    public static void Forward(WorkerPool pool, MatrixF32 x, MatrixF32 cosSin, int numHeads, int start, bool interleaved, MatrixF32 y)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Rows, x.Rows, nameof(y));
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Columns, x.Columns, nameof(y));
        CheckHeads(x, cosSin, numHeads, start);
        if (ProcessIsa.IsScalar)
        {
            ForwardReference(x, cosSin, numHeads, start, interleaved, y);
            return;
        }

        Dispatch(pool, x, cosSin, numHeads, start, interleaved, y);
    }

    internal static void CheckHeads(MatrixF32 x, MatrixF32 cosSin, int numHeads, int start)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(numHeads);
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfNotEqual(x.Columns % numHeads, 0, nameof(numHeads));
        ArgumentOutOfRangeException.ThrowIfLessThan(cosSin.Rows, x.Rows, nameof(cosSin));
        ArgumentOutOfRangeException.ThrowIfNotEqual(cosSin.Columns % 2, 0, nameof(cosSin));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start + cosSin.Columns, x.Columns / numHeads, nameof(cosSin));
    }
}
