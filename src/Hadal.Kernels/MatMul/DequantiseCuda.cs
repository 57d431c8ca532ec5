using System.Runtime.InteropServices;
using Hadal.Cuda;
using Hadal.Kernels.Cuda;
using Hadal.Numerics;

namespace Hadal.Kernels.MatMul;

/// <summary>y[n, k] = W[n, k], rounded to bf16: weights of any kind for kernels that take bf16 alone.</summary>
/// <remarks>y: [N, K] bf16, its stride a multiple of 8; what lies behind K up to that multiple becomes zero.</remarks>
public static class DequantiseCuda
{
    /// <summary>Bytes of y with rows as <see cref="Run(CudaKernels, CudaStream, in DeviceWeight, nint)"/> lays them.</summary>
    public static long Bytes(in DeviceWeight w) => (long)w.Rows * Stride(w) * sizeof(ushort);

    /// <summary>The whole of w into scratch of <see cref="Bytes"/>, as a weight of its own.</summary>
    public static DeviceWeight Run(CudaKernels kernels, CudaStream stream, in DeviceWeight w, nint scratch)
    {
        var y = new DeviceMatrix(scratch, DType.Bf16, w.Rows, w.Columns, Stride(w));
        Run(kernels, stream, w, y);
        return new DeviceWeight(DeviceWeightKind.Bf16, w.Rows, w.Columns, scratch, (long)y.Stride * sizeof(ushort), 0, 0, 0, 0);
    }

    public static void Run(CudaKernels kernels, CudaStream stream, in DeviceWeight w, in DeviceMatrix y)
    {
        DeviceCheck.Matrix(y, DType.Bf16);
        DeviceCheck.Shape(y, w.Rows, w.Columns);
        DeviceCheck.Pointer(w.Scales);
        if (w.Rows == 0)
        {
            return;
        }

        string name = (w.Kind, w.GroupSize) switch
        {
            (DeviceWeightKind.Fp8Row, _) => "dequantise_fp8_row",
            (DeviceWeightKind.Fp8Block, _) => "dequantise_fp8_block",
            (DeviceWeightKind.Int8Row, _) => "dequantise_int8_row",
            (DeviceWeightKind.Int8Group, 16) => "dequantise_int8_group16",
            (DeviceWeightKind.Int8Group, 32) => "dequantise_int8_group32",
            (DeviceWeightKind.Int4Group, 32) => "dequantise_int4_group32",
            (DeviceWeightKind.Int4Group, 64) => "dequantise_int4_group64",
            (DeviceWeightKind.Int4Group, 128) => "dequantise_int4_group128",
            _ => throw new NotSupportedException($"{w.Kind} weights in groups of {w.GroupSize} have nothing to decode, or no kernel that does"),
        };
        var args = new Args
        {
            Weights = w.Data,
            Scales = w.Scales,
            Mins = w.Mins,
            Y = y.Data,
            RowBytes = w.RowBytes,
            Rows = w.Rows,
            Columns = w.Columns,
            ScaleStride = w.ScaleStride,
            YStride = y.Stride,
        };
        int blocks = (((w.Columns + 7) / 8) + 127) / 128;
        kernels.Get("Dequantise", name).Launch(stream, new LaunchShape(blocks, Math.Min(w.Rows, 65535), 1, 128) { What = "decode weights" }, args);
    }

    private static int Stride(in DeviceWeight w) => (w.Columns + 7) / 8 * 8;

    [StructLayout(LayoutKind.Sequential)]
    private struct Args
    {
        public nint Weights;
        public nint Scales;
        public nint Mins;
        public nint Y;
        public long RowBytes;
        public int Rows;
        public int Columns;
        public int ScaleStride;
        public int YStride;
    }
}
