using System.Runtime.InteropServices;
using Hadal.Cuda;
using Hadal.Kernels.Cuda;
using Hadal.Numerics;

namespace Hadal.Kernels.Elementwise;

/// <summary>Operations element by element on the card, [T, N] each; y may alias an input of its own type.</summary>
/// <remarks>
/// Every mixture of bf16 and f32 runs; fast are those that programs have: f32 + f32|bf16 → f32, bf16 + bf16 → bf16|f32, bf16 + f32 → bf16,
/// bf16·bf16 and f32·f32 in their own type, silu and silu·mul of bf16 and of f32, and copies between the two. Widths that are no multiple of 8
/// are slow. Computes in f32; silu within 3 ulp of float32.
/// </remarks>
public static class ElementwiseCuda
{
    private enum Op
    {
        Add,
        Mul,
        SiluMul,
        Silu,
        Copy,
    }

    /// <summary>y = a + b</summary>
    public static void Add(CudaKernels kernels, CudaStream stream, in DeviceMatrix a, in DeviceMatrix b, in DeviceMatrix y)
    {
        // The kernels have the f32 addend first.
        if (a.DType == DType.Bf16 && b.DType == DType.F32)
        {
            Run(kernels, stream, Op.Add, b, b.Stride, a, a.Stride, y);
        }
        else
        {
            Run(kernels, stream, Op.Add, a, a.Stride, b, b.Stride, y);
        }
    }

    /// <summary>y = a · b</summary>
    public static void Mul(CudaKernels kernels, CudaStream stream, in DeviceMatrix a, in DeviceMatrix b, in DeviceMatrix y)
        => Run(kernels, stream, Op.Mul, a, a.Stride, b, b.Stride, y);

    /// <summary>y = x / (1 + e^-x)</summary>
    public static void Silu(CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in DeviceMatrix y)
        => Run(kernels, stream, Op.Silu, x, x.Stride, x, x.Stride, y);

    /// <summary>y = silu(gate) · up</summary>
    public static void SiluMul(CudaKernels kernels, CudaStream stream, in DeviceMatrix gate, in DeviceMatrix up, in DeviceMatrix y)
        => Run(kernels, stream, Op.SiluMul, gate, gate.Stride, up, up.Stride, y);

    /// <summary>y = x, in y's type</summary>
    public static void Copy(CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in DeviceMatrix y)
        => Run(kernels, stream, Op.Copy, x, x.Stride, x, x.Stride, y);

    /// <summary>y[t, :] = x[t, :] + bias. <paramref name="bias"/>: [N] f32 on the card, aligned to 16 bytes.</summary>
    public static void AddBias(CudaKernels kernels, CudaStream stream, in DeviceMatrix x, nint bias, in DeviceMatrix y)
        => Run(kernels, stream, Op.Add, x, x.Stride, new DeviceMatrix(bias, DType.F32, x.Rows, x.Columns, (x.Columns + 7) / 8 * 8), 0, y);

    private static void Run(CudaKernels kernels, CudaStream stream, Op op, in DeviceMatrix a, int aStride, in DeviceMatrix b, int bStride, in DeviceMatrix y)
    {
        DeviceCheck.Floats(a);
        DeviceCheck.Floats(b);
        DeviceCheck.Floats(y);
        DeviceCheck.Shape(a, y.Rows, y.Columns);
        DeviceCheck.Shape(b, y.Rows, y.Columns);
        if (y.Rows == 0)
        {
            return;
        }

        var args = new Args
        {
            A = a.Data,
            B = b.Data,
            Y = y.Data,
            AStride = aStride,
            BStride = bStride,
            YStride = y.Stride,
            Width = y.Columns,
            Op = (int)op,
            AIsBf16 = a.DType == DType.Bf16 ? 1 : 0,
            BIsBf16 = b.DType == DType.Bf16 ? 1 : 0,
            YIsBf16 = y.DType == DType.Bf16 ? 1 : 0,
        };
        string? name = y.Columns % 8 == 0 ? Fast(op, args.AIsBf16 != 0, args.BIsBf16 != 0, args.YIsBf16 != 0) : null;
        int columns = name is null ? 256 : 2048;
        kernels.Get("elementwise", name ?? "map_ragged")
            .Launch(stream, new LaunchShape(y.Rows, (y.Columns + columns - 1) / columns, 1, 256) { What = "an operation element by element" }, args);
    }

    private static string? Fast(Op op, bool a, bool b, bool y) => (op, a, b, y) switch
    {
        (Op.Add, false, false, false) => "add_f32_f32_f32",
        (Op.Add, false, true, false) => "add_f32_bf16_f32",
        (Op.Add, true, true, false) => "add_bf16_bf16_f32",
        (Op.Add, true, true, true) => "add_bf16_bf16_bf16",
        (Op.Add, true, false, true) => "add_bf16_f32_bf16",
        (Op.Add, false, true, true) => "add_f32_bf16_bf16",
        (Op.Mul, false, false, false) => "mul_f32_f32_f32",
        (Op.Mul, true, true, true) => "mul_bf16_bf16_bf16",
        (Op.SiluMul, false, false, false) => "silu_mul_f32_f32_f32",
        (Op.SiluMul, false, false, true) => "silu_mul_f32_f32_bf16",
        (Op.SiluMul, true, true, true) => "silu_mul_bf16_bf16_bf16",
        (Op.Silu, false, _, false) => "silu_f32_f32",
        (Op.Silu, true, _, true) => "silu_bf16_bf16",
        (Op.Copy, false, _, false) => "copy_f32_f32",
        (Op.Copy, false, _, true) => "copy_f32_bf16",
        (Op.Copy, true, _, false) => "copy_bf16_f32",
        (Op.Copy, true, _, true) => "copy_bf16_bf16",
        _ => null,
    };

    [StructLayout(LayoutKind.Sequential)]
    private struct Args
    {
        public nint A;
        public nint B;
        public nint Y;
        public int AStride;
        public int BStride;
        public int YStride;
        public int Width;
        public int Op;
        public int AIsBf16;
        public int BIsBf16;
        public int YIsBf16;
    }
}
