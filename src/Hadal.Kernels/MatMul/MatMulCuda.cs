using Hadal.Cuda;
using Hadal.Kernels.Cuda;
using Hadal.Kernels.Elementwise;
using Hadal.Kernels.Moe;
using Hadal.Kernels.Quantize;
using Hadal.Numerics;

namespace Hadal.Kernels.MatMul;

/// <summary>y = x · Wᵀ (+ bias) (+ residual) on a card, for weights of every kind and any number of rows.</summary>
/// <remarks>
/// x: [M, K] bf16; W: [N, K]; bias: [N] f32 on the card or 0; residual: [M, N] f32, may be y, or default; y: [M, N] bf16 or f32. Sums in f32; y is rounded once.
/// <list type="bullet">
/// <item>Up to 16 rows stream the weights past the tokens, whatever their kind; x stays bf16.</item>
/// <item>More rows take the tensor cores' way (<see cref="MatMulLargeCuda"/>), where e4m3 and int8 rows meet activations quantised to 8 bits, row by row or
/// in groups of 128. Where it has no kernel of the kind, up to 64 rows meet the weights in panels, and for more the weights are decoded to bf16, a part at a time.</item>
/// <item><c>deterministic</c> takes the first way for every M: a row's bits are then the same in every batch.</item>
/// </list>
/// Counters are zeros before the first call and after each.
/// </remarks>
public static class MatMulCuda
{
    // Bytes of bf16 that weights are decoded to at a time: they are read back from the L2 of a large card.
    private const int PartBytes = 32 << 20;

    // Tiles of many rows begin at multiples of this.
    private const int PartRows = 256;

    // Pairs an expert has on the average up to which its weights stream.
    private const int StreamPairs = 32;

    public static void Run(
        CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in DeviceWeight w, nint bias, in DeviceMatrix residual, in DeviceMatrix y, nint workspace, nint counters, bool deterministic,
        in WeightsAhead ahead = default)
    {
        Check(x, w, w.Rows, y);
        ArgumentOutOfRangeException.ThrowIfNotEqual(x.Rows, y.Rows, nameof(x));
        if (residual.Data != 0)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual((int)residual.DType, (int)DType.F32, nameof(residual));
            DeviceCheck.Shape(residual, y.Rows, y.Columns);
        }

        Dense(kernels, stream, x, w, gateUp: false, bias, residual, y, workspace, counters, deterministic, ahead);
    }

    /// <summary>y = silu(x · Gᵀ) ∘ (x · Uᵀ); w: the rows of G, then those of U.</summary>
    public static void RunGateUp(
        CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in DeviceWeight w, in DeviceMatrix y, nint workspace, nint counters, bool deterministic)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(w.Rows % 2, 0, nameof(w));
        Check(x, w, w.Rows / 2, y);
        ArgumentOutOfRangeException.ThrowIfNotEqual(x.Rows, y.Rows, nameof(x));
        Dense(kernels, stream, x, w, gateUp: true, 0, default, y, workspace, counters, deterministic);
    }

    /// <summary>Whether <see cref="RunNorm"/> and <see cref="RunNormGateUp"/> take so many rows of such weights.</summary>
    public static bool TakesNorm(CudaKernels kernels, in DeviceWeight w, int rows) => rows > 0 && MatMulSkinnyCuda.TakesNorm(kernels.Context.Device, w, rows);

    /// <summary>y = rms_norm(x) · Wᵀ (+ bias), in one launch.</summary>
    /// <remarks>
    /// x: [.., K] f32, the row stride a multiple of 4. The normed row is rounded once, to bf16, or to f16 where 8-bit weights go to that (Hopper): after a multiplication by a
    /// power of two, so that its range does not matter. A row's bits do not depend on the others.
    /// </remarks>
    public static void RunNorm(CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in RowNorm norm, in DeviceWeight w, nint bias, in DeviceMatrix y, in WeightsAhead ahead = default)
    {
        CheckNorm(kernels, x, norm, w, w.Rows, y);
        MatMulSkinnyCuda.StreamNorm(kernels, stream, x, norm, w, gateUp: false, bias, y, ahead);
    }

    /// <summary>y = silu(n · Gᵀ) ∘ (n · Uᵀ) of n = rms_norm(x), in one launch: see <see cref="RunNorm"/>.</summary>
    public static void RunNormGateUp(CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in RowNorm norm, in DeviceWeight w, in DeviceMatrix y, in WeightsAhead ahead = default)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(w.Rows % 2, 0, nameof(w));
        CheckNorm(kernels, x, norm, w, w.Rows / 2, y);
        MatMulSkinnyCuda.StreamNorm(kernels, stream, x, norm, w, gateUp: true, 0, y, ahead);
    }

    /// <summary>y[p] = silu(x[t] · Gᵀ) ∘ (x[t] · Uᵀ) for sorted pair p of token t, with its expert's matrices.</summary>
    /// <remarks>w: for each expert the rows of G, then those of U; x: [T, K]; y: [P, I], P = T · topK, in order of expert.</remarks>
    public static void RunExpertsGateUp(
        CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in DeviceWeight w, int numExperts, in ExpertOrder order, int topK, in DeviceMatrix y, nint workspace, nint counters, bool deterministic)
    {
        _ = counters;
        int rows = ExpertRows(w, numExperts, topK, order);
        ArgumentOutOfRangeException.ThrowIfNotEqual(rows % 2, 0, nameof(w));
        Check(x, w, rows / 2, y);
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Rows, checked(x.Rows * topK), nameof(y));
        DeviceCheck.Pointer(order.SortedPairs);
        if (y.Rows == 0)
        {
            return;
        }

        if (deterministic || !ManyPairs(kernels, w, numExperts, order, y.Rows))
        {
            MatMulSkinnyCuda.Grouped(kernels, stream, x, w, numExperts, gateUp: true, order, topK, sortedRows: false, y, deterministic);
            return;
        }

        // The pairs' rows, in order of expert.
        nint numPairs = order.Offsets + (numExperts * sizeof(int));
        if (w.Kind == DeviceWeightKind.Bf16)
        {
            int stride = (x.Columns + 7) / 8 * 8;
            var rowsOfPairs = new DeviceMatrix(workspace, DType.Bf16, y.Rows, x.Columns, stride);
            SelectRowsCuda.RunPairs(kernels, stream, x, order.SortedPairs, topK, numPairs, rowsOfPairs);
            MatMulLargeCuda.RunExperts(kernels, stream, rowsOfPairs, w, numExperts, order, gateUp: true, y);
        }
        else
        {
            QuantizedActivations q = Quantized(w.Kind, y.Rows, x.Columns, workspace);
            QuantizeCuda.RunPairs(kernels, stream, x, order.SortedPairs, topK, numPairs, q);
            MatMulLargeCuda.RunExperts(kernels, stream, q, w, numExperts, order, gateUp: true, y);
        }
    }

    /// <summary><see cref="RunExpertsGateUp"/> of rms_norm(x) of one token, in one launch: see <see cref="RunNorm"/>.</summary>
    public static void RunNormExpertsGateUp(
        CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in RowNorm norm, in DeviceWeight w, int numExperts, in ExpertOrder order, int topK, in DeviceMatrix y)
    {
        int rows = ExpertRows(w, numExperts, topK, order);
        ArgumentOutOfRangeException.ThrowIfNotEqual(rows % 2, 0, nameof(w));
        ArgumentOutOfRangeException.ThrowIfNotEqual(norm.Rows, 0, nameof(norm));
        DeviceCheck.Matrix(x, DType.F32);
        ArgumentOutOfRangeException.ThrowIfNotEqual(x.Rows, 1, nameof(x));
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Rows, topK, nameof(y));
        DeviceCheck.Vector(norm.Weight);
        CheckWeight(x, w, rows / 2, y);
        DeviceCheck.Pointer(order.SortedPairs);
        if (!TakesNorm(kernels, w, 1))
        {
            throw new ArgumentOutOfRangeException(nameof(w), w, $"norm and matmul in one launch do not take {w.Columns} columns of {w.Kind}: norm first");
        }

        MatMulSkinnyCuda.GroupedNorm(kernels, stream, x, norm, w, numExperts, order, topK, y);
    }

    /// <summary>y[p] = x[p] · Wᵀ for sorted pair p, with its expert's matrix.</summary>
    /// <remarks>
    /// x: [P, K] and y: [P, N], both in order of expert. <paramref name="afterGateUp"/>: the call before this one was <see cref="RunExpertsGateUp"/> over the same order, which
    /// then is older than the launch in front, and weights need not wait for that.
    /// </remarks>
    public static void RunExperts(
        CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in DeviceWeight w, int numExperts, in ExpertOrder order, int topK, in DeviceMatrix y, nint workspace, nint counters, bool deterministic,
        bool afterGateUp = false)
    {
        _ = counters;
        int rows = ExpertRows(w, numExperts, topK, order);
        Check(x, w, rows, y);
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Rows, x.Rows, nameof(y));
        if (y.Rows == 0)
        {
            return;
        }

        if (deterministic || !ManyPairs(kernels, w, numExperts, order, y.Rows))
        {
            // So few pairs had their gates and ups streamed too.
            bool early = afterGateUp && (deterministic || y.Rows <= (long)StreamPairs * numExperts);
            MatMulSkinnyCuda.Grouped(kernels, stream, x, w, numExperts, gateUp: false, order, topK, sortedRows: true, y, deterministic, early);
        }
        else if (w.Kind == DeviceWeightKind.Bf16)
        {
            MatMulLargeCuda.RunExperts(kernels, stream, x, w, numExperts, order, gateUp: false, y);
        }
        else
        {
            QuantizedActivations q = Quantized(w.Kind, x.Rows, x.Columns, workspace);
            QuantizeCuda.Run(kernels, stream, x, q);
            MatMulLargeCuda.RunExperts(kernels, stream, q, w, numExperts, order, gateUp: false, y);
        }
    }

    /// <summary>Workspace of <see cref="Run"/> and <see cref="RunGateUp"/> for so many rows of x; 256-byte aligned.</summary>
    public static long WorkspaceBytes(int rows, in DeviceWeight w)
    {
        // The most that any card and mode asks for.
        if (rows <= SkinnyPlan.StreamTokens)
        {
            return 0;
        }

        bool quantised = HasActivationFormat(w.Kind) && w.Columns % 8 == 0;
        long panel = Math.Max(MatMulSkinnyCuda.PanelScratch(w, Math.Min(rows, SkinnyPlan.PanelTokens)).Workspace, MatMulSkinnyCuda.PanelScratch(w, Math.Min(rows, SkinnyPlan.PanelTokens / 2)).Workspace);
        long part = w.Kind != DeviceWeightKind.Bf16 && rows > SkinnyPlan.PanelTokens ? DequantiseCuda.Bytes(w with { Rows = Math.Min(w.Rows, PartOf(w)) }) : 0;
        return Math.Max(panel, Math.Max(part, quantised ? QuantizedBytes(w.Kind, rows, w.Columns) : 0));
    }

    /// <summary>Counters of <see cref="Run"/> and <see cref="RunGateUp"/>.</summary>
    public static long CounterBytes(int rows, in DeviceWeight w)
        => rows <= SkinnyPlan.StreamTokens ? 0 : MatMulSkinnyCuda.PanelScratch(w, Math.Min(rows, SkinnyPlan.PanelTokens)).Counters;

    /// <summary>Workspace of <see cref="RunExpertsGateUp"/> and <see cref="RunExperts"/>; 256-byte aligned.</summary>
    public static long ExpertWorkspaceBytes(int tokens, int topK, in DeviceWeight w, int numExperts)
    {
        int pairs = checked(tokens * topK);
        return pairs <= (long)StreamPairs * numExperts || !HasLarge(w.Kind, w.Columns) ? 0
            : w.Kind == DeviceWeightKind.Bf16 ? (long)pairs * ((w.Columns + 7) / 8 * 8) * sizeof(ushort)
            : QuantizedBytes(w.Kind, pairs, w.Columns);
    }

    public static long ExpertCounterBytes(int tokens, int topK, in DeviceWeight w, int numExperts)
    {
        _ = (tokens, topK, w, numExperts);
        return 0;
    }

    private static void Dense(
        CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in DeviceWeight w, bool gateUp, nint bias, in DeviceMatrix residual, in DeviceMatrix y, nint workspace, nint counters, bool deterministic,
        in WeightsAhead ahead = default)
    {
        if (x.Rows == 0)
        {
            return;
        }

        if (deterministic || x.Rows <= SkinnyPlan.StreamTokens)
        {
            MatMulSkinnyCuda.Stream(kernels, stream, x, w, gateUp, bias, residual, y, deterministic, ahead);
            return;
        }

        // mma.sync's many rows come in tiles of 128; panels lose less of a few.
        bool large = HasLarge(w.Kind, w.Columns) && MatMulLargeCuda.Takes(kernels, w.Kind) && Large16(x, w, gateUp, bias, residual, y);
        if (large && (kernels.IsHopper || x.Rows > SkinnyPlan.PanelTokens))
        {
            if (w.Kind == DeviceWeightKind.Bf16)
            {
                Large(kernels, stream, x, w, gateUp, bias, residual, y);
                return;
            }

            QuantizedActivations q = Quantized(w.Kind, x.Rows, x.Columns, workspace);
            QuantizeCuda.Run(kernels, stream, x, q);
            if (gateUp)
            {
                MatMulLargeCuda.RunGateUp(kernels, stream, q, w, y);
            }
            else
            {
                MatMulLargeCuda.Run(kernels, stream, q, w, bias, residual, y);
            }
        }
        else if (x.Rows <= SkinnyPlan.PanelTokens || w.Kind == DeviceWeightKind.Bf16 || !Large16(x, w, gateUp, bias, residual, y))
        {
            Panels(kernels, stream, x, w, gateUp, bias, residual, y, workspace, counters);
        }
        else
        {
            Parts(kernels, stream, x, w, gateUp, bias, residual, y, workspace);
        }
    }

    private static void Large(
        CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in DeviceWeight w, bool gateUp, nint bias, in DeviceMatrix residual, in DeviceMatrix y, bool fresh = false)
    {
        if (gateUp)
        {
            MatMulLargeCuda.RunGateUp(kernels, stream, x, w, y, fresh);
        }
        else
        {
            MatMulLargeCuda.Run(kernels, stream, x, w, bias, residual, y, fresh);
        }
    }

    // As many rows of x at a time as a panel has room for.
    private static void Panels(
        CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in DeviceWeight w, bool gateUp, nint bias, in DeviceMatrix residual, in DeviceMatrix y, nint workspace, nint counters)
    {
        for (int first = 0; first < x.Rows; first += SkinnyPlan.PanelTokens)
        {
            int count = Math.Min(SkinnyPlan.PanelTokens, x.Rows - first);
            MatMulSkinnyCuda.Panel(
                kernels, stream, x.RowRange(first, count), w, gateUp, bias, residual.Data != 0 ? residual.RowRange(first, count) : default, y.RowRange(first, count), workspace, counters);
        }
    }

    // Outputs a part at a time: their weights to bf16, then the matmul of many rows.
    private static void Parts(
        CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in DeviceWeight w, bool gateUp, nint bias, in DeviceMatrix residual, in DeviceMatrix y, nint workspace)
    {
        int outputs = y.Columns;
        int part = gateUp ? PartOf(w) / 2 : PartOf(w);
        for (int first = 0; first < outputs; first += part)
        {
            int count = Math.Min(part, outputs - first);
            DeviceWeight plain = DequantiseCuda.Run(kernels, stream, RowsOf(w, first, count), workspace);
            if (gateUp)
            {
                nint up = workspace + (nint)(count * plain.RowBytes);
                _ = DequantiseCuda.Run(kernels, stream, RowsOf(w, outputs + first, count), up);
                plain = plain with { Rows = 2 * count };
            }

            Large(
                kernels, stream, x, plain, gateUp, bias == 0 ? 0 : bias + (first * sizeof(float)),
                residual.Data != 0 ? residual.ColumnRange(first, count) : default, y.ColumnRange(first, count), fresh: true);
        }
    }

    // Rows of w whose bf16 is decoded at a time: whole tiles, half of them gate and half up where that is asked for.
    private static int PartOf(in DeviceWeight w) => Math.Max(2 * PartRows, PartBytes / (2 * w.Columns) / (2 * PartRows) * (2 * PartRows));

    private static DeviceWeight RowsOf(in DeviceWeight w, int first, int count)
    {
        // Blocks of scales: parts begin with one, but a ragged gate's up rows might not.
        int perRow = w.Kind switch
        {
            DeviceWeightKind.Fp8Row or DeviceWeightKind.Int8Row => sizeof(float),
            DeviceWeightKind.Int8Group or DeviceWeightKind.Int4Group => SkinnyFormat.Of(w).ScaleBytes,
            _ => 0,
        };
        long scales = (long)first * perRow;
        if (w.Kind == DeviceWeightKind.Fp8Block)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual(first % DeviceWeight.BlockSide, 0, nameof(first));
            scales = (long)first / DeviceWeight.BlockSide * w.ScaleStride * sizeof(float);
        }

        return w with
        {
            Rows = count,
            Data = w.Data + (nint)(first * w.RowBytes),
            Scales = w.Scales + (nint)scales,
            Mins = w.Mins == 0 ? 0 : w.Mins + (nint)scales,
        };
    }

    private static bool ManyPairs(CudaKernels kernels, in DeviceWeight w, int numExperts, in ExpertOrder order, int pairs)
        => pairs > (long)StreamPairs * numExperts && HasLarge(w.Kind, w.Columns) && MatMulLargeCuda.Takes(kernels, w.Kind) && order.TileRows == MatMulLargeCuda.TileRows && order.Tiles != 0;

    // The quantiser reads 8 columns at a time.
    private static bool HasLarge(DeviceWeightKind kind, int columns) => kind == DeviceWeightKind.Bf16 || (HasActivationFormat(kind) && columns % 8 == 0 && columns <= QuantizeCuda.MaxWidth);

    private static bool HasActivationFormat(DeviceWeightKind kind) => kind is DeviceWeightKind.Fp8Row or DeviceWeightKind.Fp8Block or DeviceWeightKind.Int8Row;

    // What the large kernels ask for and these do not: whole vectors of bias, residual and y, and block scales that begin anew with the up rows.
    private static bool Large16(in DeviceMatrix x, in DeviceWeight w, bool gateUp, nint bias, in DeviceMatrix residual, in DeviceMatrix y)
        => x.Data % 16 == 0 && y.Data % 16 == 0 && y.Stride % 8 == 0 && bias % 16 == 0 && residual.Data % 16 == 0 && residual.Stride % 8 == 0
        && (!gateUp || (y.DType == DType.Bf16 && (w.Kind != DeviceWeightKind.Fp8Block || y.Columns % DeviceWeight.BlockSide == 0)));

    private static long QuantizedBytes(DeviceWeightKind kind, int rows, int columns) => Align((long)rows * Stride16(columns)) + ((long)rows * Scales(kind, columns) * sizeof(float));

    private static QuantizedActivations Quantized(DeviceWeightKind kind, int rows, int columns, nint workspace)
    {
        ActivationFormat format = MatMulLargeCuda.Activations(kind)!.Value;
        var values = new DeviceMatrix(workspace, format == ActivationFormat.Int8Row ? DType.I8 : DType.F8E4M3, rows, columns, Stride16(columns));
        return new QuantizedActivations(format, values, workspace + (nint)Align((long)rows * values.Stride), Scales(kind, columns), 1);
    }

    private static int Scales(DeviceWeightKind kind, int columns) => kind == DeviceWeightKind.Fp8Block ? (columns + 127) / 128 : 1;

    private static int Stride16(int columns) => (columns + 15) / 16 * 16;

    private static long Align(long bytes) => (bytes + 255) / 256 * 256;

    internal static int ExpertRows(in DeviceWeight w, int numExperts, int topK, in ExpertOrder order)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(numExperts);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(topK);
        ArgumentOutOfRangeException.ThrowIfNotEqual(w.Rows % numExperts, 0, nameof(w));
        DeviceCheck.Pointer(order.Offsets);
        int rows = w.Rows / numExperts;
        if (w.Kind == DeviceWeightKind.Fp8Block)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual(rows % DeviceWeight.BlockSide, 0, nameof(w));
        }

        return rows;
    }

    private static void CheckNorm(CudaKernels kernels, in DeviceMatrix x, in RowNorm norm, in DeviceWeight w, int outputs, in DeviceMatrix y)
    {
        DeviceCheck.Matrix(x, DType.F32);
        DeviceCheck.Vector(norm.Weight);
        CheckWeight(x, w, outputs, y);
        if (norm.Rows == 0)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual(x.Rows, y.Rows, nameof(x));
        }

        if (!TakesNorm(kernels, w, y.Rows))
        {
            throw new ArgumentOutOfRangeException(nameof(y), y, $"norm and matmul in one launch do not take {y.Rows} rows of {w.Columns} columns of {w.Kind}: norm first");
        }
    }

    internal static void Check(in DeviceMatrix x, in DeviceWeight w, int outputs, in DeviceMatrix y)
    {
        DeviceCheck.Matrix(x, DType.Bf16);
        CheckWeight(x, w, outputs, y);
    }

    private static void CheckWeight(in DeviceMatrix x, in DeviceWeight w, int outputs, in DeviceMatrix y)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(x.Columns, w.Columns, nameof(x));
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Columns, outputs, nameof(y));
        ArgumentOutOfRangeException.ThrowIfNotEqual(w.Data % 16, 0, nameof(w));
        ArgumentOutOfRangeException.ThrowIfNotEqual(w.RowBytes % 16, 0, nameof(w));
        DeviceCheck.Pointer(w.Data);
        DeviceCheck.Pointer(y.Data);
        if (y.DType is not (DType.Bf16 or DType.F32))
        {
            throw new ArgumentOutOfRangeException(nameof(y), y, "a matmul writes bf16 or f32");
        }

        if (w.Kind != DeviceWeightKind.Bf16)
        {
            DeviceCheck.Vector(w.Scales);
        }
    }
}
