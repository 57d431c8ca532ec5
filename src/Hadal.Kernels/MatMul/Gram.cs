using Hadal.Jit;
using Hadal.Kernels.Weights;
using Hadal.Numerics;

namespace Hadal.Kernels.MatMul;

/// <summary>h[i, j] += Σ_t x[t, i] · x[t, j]: the second moments of a matrix's inputs, which GPTQ calls the Hessian (without its factor 2).</summary>
/// <remarks>x: [T, K] f32; h: [K, K] f32, symmetric. Takes a transposed copy of x, 4·K·T bytes.</remarks>
public static unsafe class Gram
{
    // Tokens transposed at a time: the copy stays a fraction of h.
    private const int Piece = 1024;

    public static void Accumulate(WorkerPool pool, MatrixF32 x, OwnedMatrixF32 h)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(h.Rows, x.Columns, nameof(h));
        ArgumentOutOfRangeException.ThrowIfNotEqual(h.Columns, x.Columns, nameof(h));
        int k = x.Columns;
        for (int from = 0; from < x.Rows; from += Piece)
        {
            int n = Math.Min(Piece, x.Rows - from);
            using var transposed = new OwnedMatrixF32(k, n);
            float* to = transposed.Matrix.Data;
            for (int t = 0; t < n; t++)
            {
                float* row = x.Row(from + t);
                for (int i = 0; i < k; i++)
                {
                    to[((nint)i * n) + t] = row[i];
                }
            }

            var w = new WeightMatrix { Data = (byte*)to, DType = DType.F32, Rows = k, Columns = n, RowBytes = (nint)n * sizeof(float) };
            // The kernel reads x and w from different memory only by contract of its output; its inputs may be one.
            MatMulNt.Forward(pool, transposed.Matrix, [w], new MatMulEpilogue { Residual = h.Matrix }, h.Matrix);
        }
    }
}
