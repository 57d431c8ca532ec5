using System.Runtime.InteropServices;
using Hadal.Cuda;
using Hadal.Kernels.Cuda;
using Hadal.Numerics;

namespace Hadal.Kernels.Moe;

/// <summary>y[t, :] = Σ_k weights[t, k] · rows[positions[t, k], :] + shared[t, :] + residual[t, :], k in order.</summary>
/// <remarks>
/// rows: [P, D] bf16 or f32 in order of expert; positions: [T, top_k] int32 from <see cref="ExpertOrder"/> (below 0 adds nothing); weights: [T, top_k] f32;
/// shared: [T, D] bf16 or f32, or default; residual: [T, D] f32, may be y, or default; y: [T, D] f32. A row's bits do not depend on the batch.
/// </remarks>
public static class MoeCombineCuda
{
    /// <summary>Widest row of <see cref="RunNorm"/>.</summary>
    public const int MaxNormWidth = 8192;

    public static void Run(
        CudaKernels kernels, CudaStream stream, in DeviceMatrix rows, nint positions, nint weights, int topK, in DeviceMatrix shared, in DeviceMatrix residual, in DeviceMatrix y)
    {
        Args args = Prepare(rows, positions, weights, topK, shared, residual, y);
        if (y.Rows == 0)
        {
            return;
        }

        bool fast = y.Columns % 8 == 0;
        string name = ((2 * args.RowsAreBf16) + args.SharedIsBf16) switch
        {
            _ when !fast => "moe_combine_ragged",
            0 => "moe_combine_f32_f32",
            1 => "moe_combine_f32_bf16",
            2 => "moe_combine_bf16_f32",
            _ => "moe_combine_bf16_bf16",
        };
        int columns = fast ? 1024 : 128;
        kernels.Get("moe_combine", name).Launch(stream, new LaunchShape(y.Rows, (y.Columns + columns - 1) / columns, 1, 128) { What = "combine experts" }, args);
    }

    /// <summary>As <see cref="Run"/>, and normed = rms_norm(y) · weight in the same launch: bf16, a multiple of 8 and at most 8,192 columns.</summary>
    public static void RunNorm(
        CudaKernels kernels,
        CudaStream stream,
        in DeviceMatrix rows,
        nint positions,
        nint weights,
        int topK,
        in DeviceMatrix shared,
        in DeviceMatrix residual,
        in DeviceMatrix y,
        nint normWeight,
        float eps,
        in DeviceMatrix normed)
    {
        Args args = Prepare(rows, positions, weights, topK, shared, residual, y);
        DeviceCheck.Vector(normWeight);
        DeviceCheck.Matrix(normed, DType.Bf16);
        DeviceCheck.Shape(normed, y.Rows, y.Columns);
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Columns % 8, 0, nameof(y));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(y.Columns, MaxNormWidth, nameof(y));
        if (y.Rows == 0)
        {
            return;
        }

        args.NormWeight = normWeight;
        args.Normed = normed.Data;
        args.NormedStride = normed.Stride;
        args.Eps = eps;
        string name = ((2 * args.RowsAreBf16) + args.SharedIsBf16) switch
        {
            0 => "moe_combine_norm_f32_f32",
            1 => "moe_combine_norm_f32_bf16",
            2 => "moe_combine_norm_bf16_f32",
            _ => "moe_combine_norm_bf16_bf16",
        };
        kernels.Get("moe_combine", name).Launch(stream, new LaunchShape(y.Rows, 1, 1, ((y.Columns / 8) + 31) / 32 * 32) { What = "combine experts and norm" }, args);
    }

    private static Args Prepare(
        in DeviceMatrix rows, nint positions, nint weights, int topK, in DeviceMatrix shared, in DeviceMatrix residual, in DeviceMatrix y)
    {
        DeviceCheck.Floats(rows);
        DeviceCheck.Matrix(y, DType.F32);
        DeviceCheck.Pointer(positions);
        DeviceCheck.Pointer(weights);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(topK);
        ArgumentOutOfRangeException.ThrowIfNotEqual(rows.Columns, y.Columns, nameof(rows));
        ArgumentOutOfRangeException.ThrowIfNotEqual(rows.Rows, checked(y.Rows * topK), nameof(rows));
        if (shared.Data != 0)
        {
            DeviceCheck.Floats(shared);
            DeviceCheck.Shape(shared, y.Rows, y.Columns);
        }

        if (residual.Data != 0)
        {
            DeviceCheck.Matrix(residual, DType.F32);
            DeviceCheck.Shape(residual, y.Rows, y.Columns);
        }

        return new Args
        {
            Rows = rows.Data,
            Positions = positions,
            Weights = weights,
            Shared = shared.Data,
            Residual = residual.Data,
            Y = y.Data,
            RowsStride = rows.Stride,
            SharedStride = shared.Stride,
            ResidualStride = residual.Stride,
            YStride = y.Stride,
            Width = y.Columns,
            TopK = topK,
            RowsAreBf16 = rows.DType == DType.Bf16 ? 1 : 0,
            SharedIsBf16 = shared.Data != 0 && shared.DType == DType.Bf16 ? 1 : 0,
        };
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Args
    {
        public nint Rows;
        public nint Positions;
        public nint Weights;
        public nint Shared;
        public nint Residual;
        public nint Y;
        public nint NormWeight;
        public nint Normed;
        public int RowsStride;
        public int SharedStride;
        public int ResidualStride;
        public int YStride;
        public int NormedStride;
        public int Width;
        public int TopK;
        public int RowsAreBf16;
        public int SharedIsBf16;
        public float Eps;
    }
}
