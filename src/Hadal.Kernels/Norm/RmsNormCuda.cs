using System.Runtime.InteropServices;
using Hadal.Cuda;
using Hadal.Kernels.Cuda;
using Hadal.Numerics;

namespace Hadal.Kernels.Norm;

/// <summary><see cref="RmsNorm"/> on the card: y = x / sqrt(mean(x²) + eps) · w, over rows or over each run of w's length in a row.</summary>
/// <remarks>
/// x and y: bf16 or f32 each, y may alias x; w: f32 on the card, aligned to 16 bytes. Sums in f32, in an order that depends on the width alone.
/// <c>rows</c>: int32 on the card, which rows of the inputs are normed (the last norm of a model needs those whose logits are wanted); 0 for all.
/// </remarks>
public static class RmsNormCuda
{
    /// <summary>Widest row that is not cut into runs.</summary>
    public const int MaxWidth = 16384;

    public static void Run(CudaKernels kernels, CudaStream stream, in DeviceMatrix x, nint weight, int width, float eps, in DeviceMatrix y, nint rows = 0)
        => Launch(kernels, stream, x, default, weight, width, eps, default, y, rows);

    /// <summary>sum = x + residual; y = norm(sum) · w. <paramref name="residual"/> and <paramref name="sum"/> are f32; sum may alias x or residual, and may be default where nobody wants it.</summary>
    public static void RunAdd(
        CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in DeviceMatrix residual, nint weight, float eps, in DeviceMatrix sum, in DeviceMatrix y, nint rows = 0)
    {
        DeviceCheck.Matrix(residual, DType.F32);
        DeviceCheck.Shape(residual, x.Rows, x.Columns);
        if (sum.Data != 0)
        {
            DeviceCheck.Matrix(sum, DType.F32);
            DeviceCheck.Shape(sum, y.Rows, y.Columns);
            if (rows != 0)
            {
                // Other blocks may still read the row that this one would write.
                ArgumentOutOfRangeException.ThrowIfEqual(sum.Data, residual.Data, nameof(sum));
                ArgumentOutOfRangeException.ThrowIfEqual(sum.Data, x.Data, nameof(sum));
            }
        }

        Launch(kernels, stream, x, residual, weight, x.Columns, eps, sum, y, rows);
    }

    private static void Launch(
        CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in DeviceMatrix residual, nint weight, int width, float eps, in DeviceMatrix sum, in DeviceMatrix y, nint rows)
    {
        DeviceCheck.Floats(x);
        DeviceCheck.Floats(y);
        DeviceCheck.Vector(weight);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        ArgumentOutOfRangeException.ThrowIfNotEqual(x.Columns % width, 0, nameof(width));
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Columns, x.Columns, nameof(y));
        if (rows == 0)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual(y.Rows, x.Rows, nameof(y));
        }
        else
        {
            ArgumentOutOfRangeException.ThrowIfEqual(y.Data, x.Data, nameof(y));
        }

        if (y.Rows == 0)
        {
            return;
        }

        bool add = residual.Data != 0;
        int runs = x.Columns / width;
        var args = new Args
        {
            X = x.Data,
            Residual = residual.Data,
            Weight = weight,
            Sum = sum.Data,
            Y = y.Data,
            Rows = rows,
            XStride = x.Stride,
            ResidualStride = residual.Stride,
            SumStride = sum.Stride,
            YStride = y.Stride,
            Width = width,
            Runs = runs,
            NumRows = y.Rows,
            Eps = eps,
            XIsBf16 = x.DType == DType.Bf16 ? 1 : 0,
            YIsBf16 = y.DType == DType.Bf16 ? 1 : 0,
        };
        int variant = (2 * args.XIsBf16) + args.YIsBf16;
        if (width % 8 != 0 || width > (runs > 1 ? 256 : MaxWidth))
        {
            kernels.Get("rms_norm", "rms_norm_ragged").Launch(stream, new LaunchShape(checked(y.Rows * runs), 1, 1, 256) { What = "rms_norm" }, args);
        }
        else if (!add && width <= 256)
        {
            string name = variant switch { 0 => "rms_norm_runs_f32_f32", 1 => "rms_norm_runs_f32_bf16", 2 => "rms_norm_runs_bf16_f32", _ => "rms_norm_runs_bf16_bf16" };
            kernels.Get("rms_norm", name).Launch(stream, new LaunchShape((checked(y.Rows * runs) + 3) / 4, 1, 1, 128) { What = "rms_norm of heads" }, args);
        }
        else
        {
            string name = add
                ? variant switch { 0 => "add_rms_norm_f32_f32", 1 => "add_rms_norm_f32_bf16", 2 => "add_rms_norm_bf16_f32", _ => "add_rms_norm_bf16_bf16" }
                : variant switch { 0 => "rms_norm_f32_f32", 1 => "rms_norm_f32_bf16", 2 => "rms_norm_bf16_f32", _ => "rms_norm_bf16_bf16" };
            int threads = Math.Min(1024, ((width / 8) + 31) / 32 * 32);
            kernels.Get("rms_norm", name).Launch(stream, new LaunchShape(y.Rows, 1, 1, threads) { What = add ? "add_rms_norm" : "rms_norm" }, args);
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Args
    {
        public nint X;
        public nint Residual;
        public nint Weight;
        public nint Sum;
        public nint Y;
        public nint Rows;
        public int XStride;
        public int ResidualStride;
        public int SumStride;
        public int YStride;
        public int Width;
        public int Runs;
        public int NumRows;
        public float Eps;
        public int XIsBf16;
        public int YIsBf16;
    }
}
