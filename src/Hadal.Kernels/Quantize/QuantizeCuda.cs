using System.Runtime.InteropServices;
using Hadal.Cuda;
using Hadal.Kernels.Cuda;
using Hadal.Numerics;

namespace Hadal.Kernels.Quantize;

/// <summary>Activations to 8 bits on the card, alone and fused with what makes them.</summary>
/// <remarks>
/// Widths are multiples of 8; at most 32,768 columns, 16,384 behind a norm. What is quantised is the value rounded to bf16, so that fused and unfused
/// give the same bits; that value is written too where y is given. NaN in a row makes its scale NaN.
/// </remarks>
public static class QuantizeCuda
{
    public const int MaxWidth = 32768;

    public const int MaxNormWidth = 16384;

    // Kernel names by operation and format.
    private static readonly string[] _names =
    [
        "quantize_e4m3_row", "quantize_e4m3_group", "quantize_i8_row",
        "silu_mul_quantize_e4m3_row", "silu_mul_quantize_e4m3_group", "silu_mul_quantize_i8_row",
        "rms_norm_bf16_quantize_e4m3_row", "rms_norm_bf16_quantize_e4m3_group", "rms_norm_bf16_quantize_i8_row",
        "rms_norm_f32_quantize_e4m3_row", "rms_norm_f32_quantize_e4m3_group", "rms_norm_f32_quantize_i8_row",
        "add_rms_norm_bf16_quantize_e4m3_row", "add_rms_norm_bf16_quantize_e4m3_group", "add_rms_norm_bf16_quantize_i8_row",
        "add_rms_norm_f32_quantize_e4m3_row", "add_rms_norm_f32_quantize_e4m3_group", "add_rms_norm_f32_quantize_i8_row",
    ];

    /// <summary>q = x. x: [T, K] bf16.</summary>
    public static void Run(CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in QuantizedActivations q)
        => Launch(kernels, stream, 0, x, default, default, 0, 0, default, default, q, 0, 1, 0);

    /// <summary>Row i of q = the row of x that sorted pair i's token has: see <see cref="Elementwise.SelectRowsCuda.RunPairs"/>.</summary>
    public static void RunPairs(CudaKernels kernels, CudaStream stream, in DeviceMatrix x, nint sortedPairs, int topK, nint numPairs, in QuantizedActivations q)
    {
        DeviceCheck.Pointer(sortedPairs);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(topK);
        Launch(kernels, stream, 0, x, default, default, 0, 0, default, default, q, sortedPairs, topK, numPairs);
    }

    /// <summary>q = silu(gate) · up, both bf16.</summary>
    public static void RunSiluMul(CudaKernels kernels, CudaStream stream, in DeviceMatrix gate, in DeviceMatrix up, in DeviceMatrix y, in QuantizedActivations q)
    {
        DeviceCheck.Matrix(up, DType.Bf16);
        DeviceCheck.Shape(up, gate.Rows, gate.Columns);
        Launch(kernels, stream, 1, gate, up, default, 0, 0, default, y, q, 0, 1, 0);
    }

    /// <summary>q = norm(x) · w. x: bf16 or f32; y: bf16 or default.</summary>
    public static void RunRmsNorm(CudaKernels kernels, CudaStream stream, in DeviceMatrix x, nint weight, float eps, in DeviceMatrix y, in QuantizedActivations q)
    {
        DeviceCheck.Vector(weight);
        Launch(kernels, stream, x.DType == DType.F32 ? 3 : 2, x, default, default, weight, eps, default, y, q, 0, 1, 0);
    }

    /// <summary>sum = x + residual (f32; default where nobody wants it), q = norm(sum) · w. x: bf16 or f32; y: bf16 or default.</summary>
    public static void RunAddRmsNorm(
        CudaKernels kernels,
        CudaStream stream,
        in DeviceMatrix x,
        in DeviceMatrix residual,
        nint weight,
        float eps,
        in DeviceMatrix sum,
        in DeviceMatrix y,
        in QuantizedActivations q)
    {
        DeviceCheck.Vector(weight);
        DeviceCheck.Matrix(residual, DType.F32);
        DeviceCheck.Shape(residual, x.Rows, x.Columns);
        if (sum.Data != 0)
        {
            DeviceCheck.Matrix(sum, DType.F32);
            DeviceCheck.Shape(sum, x.Rows, x.Columns);
        }

        Launch(kernels, stream, x.DType == DType.F32 ? 5 : 4, x, default, residual, weight, eps, sum, y, q, 0, 1, 0);
    }

    private static void Launch(
        CudaKernels kernels,
        CudaStream stream,
        int operation,
        in DeviceMatrix x,
        in DeviceMatrix up,
        in DeviceMatrix residual,
        nint weight,
        float eps,
        in DeviceMatrix sum,
        in DeviceMatrix y,
        in QuantizedActivations q,
        nint rows,
        int divisor,
        nint numRows)
    {
        DeviceMatrix values = q.Values;
        DeviceCheck.Matrix(x, DType.Bf16, operation >= 2 ? DType.F32 : DType.Bf16);
        DeviceCheck.Matrix(values, q.Format == ActivationFormat.Int8Row ? DType.I8 : DType.F8E4M3, nameof(q));
        DeviceCheck.Pointer(q.Scales, nameof(q));
        ArgumentOutOfRangeException.ThrowIfNotEqual(values.Columns, x.Columns, nameof(q));
        ArgumentOutOfRangeException.ThrowIfNotEqual(values.Stride % 16, 0, nameof(q));
        ArgumentOutOfRangeException.ThrowIfNotEqual(x.Columns % 8, 0, nameof(x));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(x.Columns, operation >= 2 ? MaxNormWidth : MaxWidth, nameof(x));
        if (rows == 0)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual(values.Rows, x.Rows, nameof(q));
        }

        if (y.Data != 0)
        {
            DeviceCheck.Matrix(y, DType.Bf16);
            DeviceCheck.Shape(y, x.Rows, x.Columns);
        }

        if (values.Rows == 0)
        {
            return;
        }

        var args = new Args
        {
            X = x.Data,
            Up = up.Data,
            Residual = residual.Data,
            Weight = weight,
            Sum = sum.Data,
            Y = y.Data,
            Q = values.Data,
            Scales = q.Scales,
            Rows = rows,
            NumRows = numRows,
            XStride = x.Stride,
            UpStride = up.Stride,
            ResidualStride = residual.Stride,
            SumStride = sum.Stride,
            YStride = y.Stride,
            QStride = values.Stride,
            ScaleRowStride = q.ScaleRowStride,
            ScaleGroupStride = q.ScaleGroupStride,
            Width = x.Columns,
            Divisor = divisor,
            Eps = eps,
        };
        LaunchShape shape;
        if (operation < 2 && q.Format == ActivationFormat.E4M3Group)
        {
            shape = new LaunchShape(values.Rows, (x.Columns + 2047) / 2048, 1, 256);
        }
        else
        {
            // Behind a norm the block follows from the width alone, as the order of its sum does. Else many rows have blocks of four pieces a
            // thread, of which several are on a multiprocessor at once.
            int pieces = operation < 2 && values.Rows >= 256 ? 4 : 1;
            shape = new LaunchShape(values.Rows, 1, 1, Math.Min(1024, ((((x.Columns / 8) + pieces - 1) / pieces) + 31) / 32 * 32));
        }

        kernels.Get("quantize", _names[(operation * 3) + (int)q.Format]).Launch(stream, shape with { What = "quantise activations" }, args);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Args
    {
        public nint X;
        public nint Up;
        public nint Residual;
        public nint Weight;
        public nint Sum;
        public nint Y;
        public nint Q;
        public nint Scales;
        public nint Rows;
        public nint NumRows;
        public int XStride;
        public int UpStride;
        public int ResidualStride;
        public int SumStride;
        public int YStride;
        public int QStride;
        public int ScaleRowStride;
        public int ScaleGroupStride;
        public int Width;
        public int Divisor;
        public float Eps;
    }
}
