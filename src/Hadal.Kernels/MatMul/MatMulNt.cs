using Hadal.Jit;
using Hadal.Kernels.Weights;

namespace Hadal.Kernels.MatMul;

/// <summary>y[t, n] = Σ_k x[t, k] · W[n, k] (+ bias[n] + residual[t, n])</summary>
/// <remarks>
/// x: [T, K] f32; W: [N, K] in any stored type, given as parts joined along N (q|k|v, gate|up) so that joining copies nothing; y: [T, N] f32.
/// y may be the residual; it may not alias x. Accumulates in f32 in a fixed order: a token's result is the same bits in any batch and on
/// any number of workers. Allocates nothing; thread-safe for distinct outputs. See docs/kernels/matmul.md.
/// </remarks>
public static unsafe partial class MatMulNt
{
    public static void Forward(WorkerPool pool, MatrixF32 x, ReadOnlySpan<WeightMatrix> parts, in MatMulEpilogue epilogue, MatrixF32 y)
    {
        CheckShapes(x, parts, epilogue, y);
        if (x.Rows == 0 || y.Columns == 0)
        {
            return;
        }

        if (ProcessIsa.IsScalar)
        {
            ForwardReference(x, parts, epilogue, y);
            return;
        }

        ForwardSimd(pool, x, parts, epilogue, y);
    }

    private static void CheckShapes(MatrixF32 x, ReadOnlySpan<WeightMatrix> parts, in MatMulEpilogue epilogue, MatrixF32 y)
    {
        long n = 0;
        foreach (ref readonly WeightMatrix w in parts)
        {
            WeightDecoder.Validate(w, nameof(parts));
            ArgumentOutOfRangeException.ThrowIfNotEqual(w.Columns, x.Columns, nameof(parts));
            n += w.Rows;
        }

        ArgumentOutOfRangeException.ThrowIfNotEqual(n, y.Columns, nameof(y));
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Rows, x.Rows, nameof(y));
        ArgumentOutOfRangeException.ThrowIfLessThan(x.Stride, x.Columns, nameof(x));
        ArgumentOutOfRangeException.ThrowIfLessThan(y.Stride, y.Columns, nameof(y));
        if (epilogue.Residual.Data != null)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual(epilogue.Residual.Rows, y.Rows, nameof(epilogue));
            ArgumentOutOfRangeException.ThrowIfNotEqual(epilogue.Residual.Columns, y.Columns, nameof(epilogue));
        }

        if (x.Rows > 0 && y.Columns > 0)
        {
            ArgumentNullException.ThrowIfNull(y.Data, nameof(y));
            if (x.Columns > 0)
            {
                ArgumentNullException.ThrowIfNull(x.Data, nameof(x));
                ArgumentOutOfRangeException.ThrowIfEqual((nint)y.Data, (nint)x.Data, nameof(y));
            }
        }
    }
}
