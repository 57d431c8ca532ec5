using System.Runtime.InteropServices;
using Hadal.Cuda;
using Hadal.Kernels.Cuda;
using Hadal.Numerics;

namespace Hadal.Kernels.Elementwise;

/// <summary>y[i, :] = x[rows[i], :]</summary>
/// <remarks>x, y: bf16 or f32, alike; rows: int32 on the card, below x's rows. y may not alias x.</remarks>
public static class SelectRowsCuda
{
    public static void Run(CudaKernels kernels, CudaStream stream, in DeviceMatrix x, nint rows, in DeviceMatrix y)
        => Launch(kernels, stream, x, rows, 1, 0, y);

    /// <summary>y[i, :] = x[token of sorted pair i, :]: tokens in order of expert, for a grouped matmul. Rows past the pairs that take part are left alone.</summary>
    /// <param name="kernels">The kernels.</param>
    /// <param name="stream">The stream.</param>
    /// <param name="x">[T, N].</param>
    /// <param name="sortedPairs">[P] of <see cref="Moe.ExpertOrder"/>.</param>
    /// <param name="topK">Pairs a token.</param>
    /// <param name="numPairs">[1] on the card: <c>Offsets[E]</c> of <see cref="Moe.ExpertOrder"/>; 0 for all.</param>
    /// <param name="y">[P, N].</param>
    public static void RunPairs(CudaKernels kernels, CudaStream stream, in DeviceMatrix x, nint sortedPairs, int topK, nint numPairs, in DeviceMatrix y)
        => Launch(kernels, stream, x, sortedPairs, topK, numPairs, y);

    private static void Launch(CudaKernels kernels, CudaStream stream, in DeviceMatrix x, nint rows, int divisor, nint numRows, in DeviceMatrix y)
    {
        DeviceCheck.Floats(x);
        DeviceCheck.Matrix(y, x.DType);
        DeviceCheck.Pointer(rows);
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Columns, x.Columns, nameof(y));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(divisor);
        if (y.Rows == 0)
        {
            return;
        }

        int units = x.DType == DType.F32 ? 2 : 1;
        var args = new Args
        {
            X = x.Data,
            Y = y.Data,
            Rows = rows,
            XStride = (long)x.Stride * units,
            YStride = (long)y.Stride * units,
            NumRows = numRows,
            Width = x.Columns * units,
            Divisor = divisor,
        };
        kernels.Get("embed", "select_rows").Launch(stream, new LaunchShape(y.Rows, (args.Width + 2047) / 2048, 1, 256) { What = "select_rows" }, args);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Args
    {
        public nint X;
        public nint Y;
        public nint Rows;
        public long XStride;
        public long YStride;
        public nint NumRows;
        public int Width;
        public int Divisor;
    }
}
