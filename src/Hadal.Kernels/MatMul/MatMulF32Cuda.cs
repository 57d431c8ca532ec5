using System.Runtime.InteropServices;
using Hadal.Cuda;
using Hadal.Kernels.Cuda;
using Hadal.Kernels.Elementwise;
using Hadal.Kernels.Moe;
using Hadal.Numerics;

namespace Hadal.Kernels.MatMul;

/// <summary><see cref="MatMulCuda"/> with float32 activations: x = high + middle + low, three bf16 whose products with the weights are exact, summed in f32.</summary>
/// <remarks>
/// For comparing numbers, not for speed: each weight is read three times, in the one shape of the deterministic matmul, so a row's bits do not depend on its batch.
/// What is left of rounding is that of f32 sums. Where a weight was rounded to bf16 on its way to the card, <c>rest</c> is what that left
/// (<see cref="DeviceWeightPacker"/>) and is multiplied too; default for none.
/// All matrices f32; workspaces hold anything, aligned to 256 bytes.
/// </remarks>
public static class MatMulF32Cuda
{
    private const int Parts = 3;

    /// <summary>y = x · Wᵀ (+ bias) (+ residual); residual may be y, or default.</summary>
    public static void Run(
        CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in DeviceWeight w, in DeviceWeight rest, nint bias, in DeviceMatrix residual, in DeviceMatrix y, nint workspace)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual((int)y.DType, (int)DType.F32, nameof(y));
        Split parts = SplitRows(kernels, stream, x, workspace);
        for (int i = 0; i < Parts; i++)
        {
            MatMulCuda.Run(kernels, stream, parts[i], w, i == 0 ? bias : 0, i == 0 ? residual : y, y, 0, 0, deterministic: true);
        }

        for (int i = 0; i < Parts && rest.Rows > 0; i++)
        {
            MatMulCuda.Run(kernels, stream, parts[i], rest, 0, y, y, 0, 0, deterministic: true);
        }
    }

    /// <summary>rows[p] = silu(x[t] · Gᵀ) ∘ (x[t] · Uᵀ) · Dᵀ for sorted pair p of token t, with its expert's matrices.</summary>
    /// <param name="kernels">The kernels.</param>
    /// <param name="stream">The stream.</param>
    /// <param name="x">[T, K].</param>
    /// <param name="gateUp">For each expert the rows of G, then those of U, multiples of 4 each.</param>
    /// <param name="gateUpRest">What rounding left of them, or default.</param>
    /// <param name="down">For each expert the rows of D.</param>
    /// <param name="downRest">What rounding left of them, or default.</param>
    /// <param name="numExperts">E.</param>
    /// <param name="order">Order of the pairs.</param>
    /// <param name="topK">Pairs of a token.</param>
    /// <param name="rows">[P, N] in order of expert.</param>
    /// <param name="workspace">Of <see cref="ExpertWorkspaceBytes"/>.</param>
    public static void RunExperts(
        CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in DeviceWeight gateUp, in DeviceWeight gateUpRest, in DeviceWeight down, in DeviceWeight downRest, int numExperts, in ExpertOrder order, int topK,
        in DeviceMatrix rows, nint workspace)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(rows.Rows, checked(x.Rows * topK), nameof(rows));
        int both = gateUp.Rows / numExperts;
        DeviceMatrix sums = Rows(workspace, rows.Rows, both);
        nint free = workspace + (nint)RowBytes(rows.Rows, both);
        Grouped(kernels, stream, x, gateUp, gateUpRest, numExperts, order, topK, sortedRows: false, sums, free);
        DeviceMatrix hidden = sums.ColumnRange(0, both / 2);
        Activate(kernels, stream, sums, hidden);
        Grouped(kernels, stream, hidden, down, downRest, numExperts, order, topK, sortedRows: true, rows, free);
    }

    /// <summary>Workspace of <see cref="Run"/>.</summary>
    public static long WorkspaceBytes(int rows, in DeviceWeight w) => Parts * PartBytes(rows, w.Columns);

    /// <summary>Workspace of <see cref="RunExperts"/>.</summary>
    public static long ExpertWorkspaceBytes(int tokens, int topK, in DeviceWeight gateUp, in DeviceWeight down, int numExperts)
    {
        int pairs = checked(tokens * topK);
        return RowBytes(pairs, gateUp.Rows / numExperts) + Math.Max(WorkspaceBytes(tokens, gateUp), WorkspaceBytes(pairs, down));
    }

    /// <summary>f32 rows at the front of a workspace; they take <see cref="RowBytes"/> of it.</summary>
    public static DeviceMatrix Rows(nint workspace, int rows, int columns) => new(workspace, DType.F32, rows, columns, RoundUp(columns));

    /// <summary>Bytes of <see cref="Rows"/>, up to where something else may follow.</summary>
    public static long RowBytes(int rows, int columns) => Whole(4L * rows * RoundUp(columns));

    /// <summary>y = silu of the left half of the columns times the right half; y may be the left half.</summary>
    public static void Activate(CudaKernels kernels, CudaStream stream, in DeviceMatrix sums, in DeviceMatrix y)
        => ElementwiseCuda.SiluMul(kernels, stream, sums.ColumnRange(0, sums.Columns / 2), sums.ColumnRange(sums.Columns / 2, sums.Columns / 2), y);

    private static void Grouped(
        CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in DeviceWeight w, in DeviceWeight rest, int numExperts, in ExpertOrder order, int topK, bool sortedRows, in DeviceMatrix y, nint workspace)
    {
        int rows = MatMulCuda.ExpertRows(w, numExperts, topK, order);
        DeviceCheck.Matrix(y, DType.F32);
        Split parts = SplitRows(kernels, stream, x, workspace);
        if (y.Rows == 0)
        {
            return;
        }

        for (int i = 0; i < Parts; i++)
        {
            MatMulCuda.Check(parts[i], w, rows, y);
            MatMulSkinnyCuda.Grouped(kernels, stream, parts[i], w, numExperts, gateUp: false, order, topK, sortedRows, y, pinned: true, residual: i == 0 ? default : y);
        }

        for (int i = 0; i < Parts && rest.Rows > 0; i++)
        {
            MatMulSkinnyCuda.Grouped(kernels, stream, parts[i], rest, numExperts, gateUp: false, order, topK, sortedRows, y, pinned: true, residual: y);
        }
    }

    private static Split SplitRows(CudaKernels kernels, CudaStream stream, in DeviceMatrix x, nint workspace)
    {
        DeviceCheck.Matrix(x, DType.F32);
        DeviceCheck.Vector(workspace);
        var parts = new Split(new DeviceMatrix(workspace, DType.Bf16, x.Rows, x.Columns, RoundUp(x.Columns)), (nint)PartBytes(x.Rows, x.Columns));
        if (x.Rows > 0)
        {
            var args = new Args
            {
                X = x.Data,
                High = parts[0].Data,
                Middle = parts[1].Data,
                Low = parts[2].Data,
                XStride = x.Stride,
                YStride = parts[0].Stride,
                Width = x.Columns,
            };
            kernels.Get("SplitBf16", "split_bf16").Launch(stream, new LaunchShape(x.Rows, (x.Columns + 255) / 256, 1, 256) { What = "float32 as three bf16" }, args);
        }

        return parts;
    }

    private static long PartBytes(int rows, int columns) => Whole(2L * rows * RoundUp(columns));

    private static int RoundUp(int columns) => (columns + 7) / 8 * 8;

    private static long Whole(long bytes) => (bytes + 255) / 256 * 256;

    private readonly record struct Split(DeviceMatrix High, nint PartBytes)
    {
        public DeviceMatrix this[int part] => High with { Data = High.Data + (part * PartBytes) };
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct Args
    {
        public nint X;
        public nint High;
        public nint Middle;
        public nint Low;
        public int XStride;
        public int YStride;
        public int Width;
    }
}
