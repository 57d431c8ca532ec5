using System.Runtime.InteropServices;
using Hadal.Cuda;
using Hadal.Kernels.Cuda;
using Hadal.Kernels.Moe;
using Hadal.Kernels.Quantize;
using Hadal.Numerics;

namespace Hadal.Kernels.MatMul;

/// <summary>y = x · Wᵀ (+ bias) (+ residual) on a card's tensor cores for many rows: see MatMulLarge.cuh (Hopper), MatMulLargeMma.cu and docs/kernels/matmul-large-cuda.md.</summary>
/// <remarks>
/// x: [M, K] bf16 with bf16 weights, or quantised: e4m3 rows with <see cref="DeviceWeightKind.Fp8Row"/>, e4m3 groups of 128 with
/// <see cref="DeviceWeightKind.Fp8Block"/> (both on Hopper alone), int8 rows with <see cref="DeviceWeightKind.Int8Row"/>. W: [N, K]; bias: [N] f32 on the card or 0;
/// residual: [M, N] f32, may be y, or default; y: [M, N] bf16 or f32. Any M, N and K; rows begin at multiples of 16 bytes, and what lies behind column K is not used.
/// Sums are f32 (int8: s32, exact); e4m3's are taken out of the tensor cores' own, shorter sums every <see cref="PromotionColumns"/> columns. y is rounded once.
/// A row's bits depend on K and on the number of parts that K is split into, which depends on M and N; not on other rows or on the schedule. Allocates nothing.
/// </remarks>
public static class MatMulLargeCuda
{
    /// <summary>Rows of the tiles that <see cref="ExpertOrder.Tiles"/> must have.</summary>
    public const int TileRows = LargeTile.Rows;

    /// <summary>Columns of K that Hopper's FP8 tensor cores sum before the sum goes to f32 registers.</summary>
    public const int PromotionColumns = 256;

    // Hopper's kernels write y eight columns at a time. Other widths of y go to the plain kernels, or for FP8 to narrow ones made for it.
    private const int WholeColumns = 8;

    private const int OddWidth = 64;

    private const string MmaModule = "MatMulLargeMma";
    private const int MmaThreads = 256;
    private const int MmaSharedBytes = 4 * 256 * 64;
    private const int MmaTile = 128;

    private static readonly LargeFormat _bf16 = new("MatMulLargeBf16", "matmul_large_bf16", TensorMapType.Bf16, 2, [256, 224, 192, 128, 64], [256, 192, 128], [128, 256], [256, 128]);
    private static readonly LargeFormat _fp8Row = new("MatMulLargeFp8", "matmul_large_fp8", TensorMapType.U8, 1, [192, 128, 64], [192, 128], [128], [192, 128]);
    private static readonly LargeFormat _fp8Block = new("MatMulLargeFp8Block", "matmul_large_fp8_block", TensorMapType.U8, 1, [192, 128, 64], [192, 128], [128], [192, 128]);
    private static readonly LargeFormat _int8Row = new("MatMulLargeInt8", "matmul_large_s8", TensorMapType.U8, 1, [256, 224, 192, 128, 64], [256, 128], [128], [256, 128]);

    private static readonly string[] _mmaNames = ["bf16", "f32", "silu"];
    private static readonly string[] _mmaBf16 = [.. _mmaNames.Select(n => "matmul_mma_bf16_" + n), .. _mmaNames.Select(n => "matmul_mma_bf16_experts_" + n)];
    private static readonly string[] _mmaInt8 = [.. _mmaNames.Select(n => "matmul_mma_s8_" + n), .. _mmaNames.Select(n => "matmul_mma_s8_experts_" + n)];

    /// <summary>Whether there are kernels for weights of this kind: with bf16 or with 8-bit activations as the remarks say.</summary>
    public static bool Takes(CudaKernels kernels, DeviceWeightKind kind)
    {
        ArgumentNullException.ThrowIfNull(kernels);
        return kind is DeviceWeightKind.Bf16 or DeviceWeightKind.Int8Row || (kind is DeviceWeightKind.Fp8Row or DeviceWeightKind.Fp8Block && kernels.IsHopper);
    }

    /// <summary>What x must be quantised to for weights of a kind; null: x stays bf16.</summary>
    public static ActivationFormat? Activations(DeviceWeightKind kind) => kind switch
    {
        DeviceWeightKind.Bf16 => null,
        DeviceWeightKind.Fp8Row => ActivationFormat.E4M3Row,
        DeviceWeightKind.Fp8Block => ActivationFormat.E4M3Group,
        DeviceWeightKind.Int8Row => ActivationFormat.Int8Row,
        _ => throw new NotSupportedException($"{kind} weights have no matmul of many rows: decode them to bf16 first"),
    };

    /// <summary>y = x · Wᵀ (+ bias) (+ residual), all bf16.</summary>
    /// <param name="kernels">The kernels.</param>
    /// <param name="stream">The stream.</param>
    /// <param name="x">[M, K].</param>
    /// <param name="w">[N, K].</param>
    /// <param name="bias">[N] f32 on the card, or 0.</param>
    /// <param name="residual">[M, N] f32, or default.</param>
    /// <param name="y">[M, N].</param>
    /// <param name="fresh">The launch before this one writes w: it must have ended before weights are read, which otherwise are ahead of time.</param>
    public static void Run(CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in DeviceWeight w, nint bias, in DeviceMatrix residual, in DeviceMatrix y, bool fresh = false)
        => Dense(kernels, stream, x, default, w, gateUp: false, bias, residual, y, fresh);

    /// <summary>The same of quantised x.</summary>
    public static void Run(CudaKernels kernels, CudaStream stream, in QuantizedActivations x, in DeviceWeight w, nint bias, in DeviceMatrix residual, in DeviceMatrix y)
        => Dense(kernels, stream, x.Values, x, w, gateUp: false, bias, residual, y);

    /// <summary>y = silu(x · Gᵀ) ∘ (x · Uᵀ), bf16; w: the rows of G, then those of U.</summary>
    public static void RunGateUp(CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in DeviceWeight w, in DeviceMatrix y, bool fresh = false)
        => Dense(kernels, stream, x, default, w, gateUp: true, 0, default, y, fresh);

    /// <summary>The same of quantised x.</summary>
    public static void RunGateUp(CudaKernels kernels, CudaStream stream, in QuantizedActivations x, in DeviceWeight w, in DeviceMatrix y)
        => Dense(kernels, stream, x.Values, x, w, gateUp: true, 0, default, y);

    /// <summary>y[p] = x[p] · Wᵀ with the expert's matrix, or silu(x[p] · Gᵀ) ∘ (x[p] · Uᵀ) with its two.</summary>
    /// <remarks>x: [P, K] and y: [P, N] or, for gate-up bf16, [P, I], both in order of expert. w: expert by expert its rows. <paramref name="order"/>: with tiles of <see cref="TileRows"/> rows.</remarks>
    public static void RunExperts(
        CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in DeviceWeight w, int numExperts, in ExpertOrder order, bool gateUp, in DeviceMatrix y)
        => Grouped(kernels, stream, x, default, w, numExperts, order, gateUp, y);

    /// <summary>The same of quantised x.</summary>
    public static void RunExperts(
        CudaKernels kernels, CudaStream stream, in QuantizedActivations x, in DeviceWeight w, int numExperts, in ExpertOrder order, bool gateUp, in DeviceMatrix y)
        => Grouped(kernels, stream, x.Values, x, w, numExperts, order, gateUp, y);

    private static void Dense(
        CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in QuantizedActivations q, in DeviceWeight w, bool gateUp, nint bias, in DeviceMatrix residual, in DeviceMatrix y, bool fresh = false)
    {
        int outputs = gateUp ? w.Rows / 2 : w.Rows;
        Check(kernels, x, q, w, w.Rows, outputs, gateUp, y);
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Rows, x.Rows, nameof(y));
        if (residual.Data != 0)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual((int)residual.DType, (int)DType.F32, nameof(residual));
            ArgumentOutOfRangeException.ThrowIfLessThan(residual.Stride, residual.Columns, nameof(residual));
            DeviceCheck.Shape(residual, y.Rows, y.Columns);
        }

        if (bias != 0)
        {
            DeviceCheck.Vector(bias);
        }

        if (x.Rows == 0)
        {
            return;
        }

        int output = gateUp ? 2 : y.DType == DType.F32 ? 1 : 0;
        int multiprocessors = kernels.Context.Device.MultiprocessorCount;
        // Elsewhere the residual is read in pairs.
        bool odd = outputs % WholeColumns != 0 || (residual.Data % 8 != 0) || (residual.Stride % 2 != 0);
        if (!kernels.IsHopper || (odd && !IsFp8(w.Kind)))
        {
            MmaArgs mma = PrepareMma(x, q, w, w.Rows, y);
            mma.Bias = bias;
            mma.Residual = residual.Data;
            mma.ResidualStride = residual.Stride;
            long units = Ceil(x.Rows, MmaTile) * Ceil(outputs, gateUp ? MmaTile / 2 : MmaTile);
            LaunchMma(kernels, stream, w.Kind, output, (int)Math.Min(units, 2L * multiprocessors), mma);
            return;
        }

        LargeFormat format = Format(w.Kind);
        LargeTile tile = LargeTile.Choose(
            x.Rows,
            w.Rows,
            (long)x.Columns * format.ElementBytes,
            gateUp,
            multiprocessors,
            odd ? [OddWidth] : Unspilt(kernels, w.Kind, format, gateUp ? format.GateUpWidths : format.Widths, output, work: 0),
            odd || gateUp ? [] : format.SplitWidths);
        Args args = Prepare(kernels.Context, format, tile, x, q, w, w.Rows, y);
        args.Bias = bias;
        args.Residual = residual.Data;
        args.ResidualStride = residual.Stride;
        Launch(kernels, stream, format, format.Kernel(odd ? 0 : tile.Width, output, tile.Split > 1 ? 2 : 0), tile, args, fresh);
    }

    private static void Grouped(
        CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in QuantizedActivations q, in DeviceWeight w, int numExperts, in ExpertOrder order, bool gateUp, in DeviceMatrix y)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(numExperts);
        ArgumentOutOfRangeException.ThrowIfNotEqual(w.Rows % numExperts, 0, nameof(w));
        ArgumentOutOfRangeException.ThrowIfNotEqual(order.TileRows, TileRows, nameof(order));
        DeviceCheck.Pointer(order.Tiles, nameof(order));
        DeviceCheck.Pointer(order.NumTiles, nameof(order));
        DeviceCheck.Pointer(order.Offsets, nameof(order));
        int rows = w.Rows / numExperts;
        int outputs = gateUp ? rows / 2 : rows;
        Check(kernels, x, q, w, rows, outputs, gateUp, y);
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Rows, x.Rows, nameof(y));
        if (w.Kind == DeviceWeightKind.Fp8Block)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual(rows % DeviceWeight.BlockSide, 0, nameof(w));
        }

        if (x.Rows == 0)
        {
            return;
        }

        int output = gateUp ? 2 : y.DType == DType.F32 ? 1 : 0;
        int multiprocessors = kernels.Context.Device.MultiprocessorCount;
        int scaleStride = w.Kind == DeviceWeightKind.Fp8Block ? rows / DeviceWeight.BlockSide * w.ScaleStride : rows;
        // How many tiles there are only the card knows.
        long mostTiles = ExpertOrder.MaxTiles(x.Rows, numExperts, TileRows);
        bool odd = outputs % WholeColumns != 0;
        if (!kernels.IsHopper || (odd && !IsFp8(w.Kind)))
        {
            MmaArgs mma = PrepareMma(x, q, w, rows, y);
            mma.ExpertBytes = rows * w.RowBytes;
            mma.ExpertScaleStride = scaleStride;
            mma.Tiles = order.Tiles;
            mma.NumTiles = order.NumTiles;
            mma.ExpertOffsets = order.Offsets;
            mma.Group = 8;
            long units = mostTiles * Ceil(outputs, gateUp ? MmaTile / 2 : MmaTile);
            LaunchMma(kernels, stream, w.Kind, 3 + output, (int)Math.Min(units, 2L * multiprocessors), mma);
            return;
        }

        LargeFormat format = Format(w.Kind);
        // Few rows an expert: narrow tiles, so that there are enough of them.
        LargeTile tile = LargeTile.ChooseExperts(x.Rows, numExperts, rows, gateUp, multiprocessors, odd ? [OddWidth] : Unspilt(kernels, w.Kind, format, format.ExpertWidths, output, work: 1));
        Args args = Prepare(kernels.Context, format, tile, x, q, w, rows, y);
        args.ExpertScaleStride = scaleStride;
        args.Tiles = order.Tiles;
        args.NumTiles = order.NumTiles;
        args.ExpertOffsets = order.Offsets;
        Launch(kernels, stream, format, format.Kernel(odd ? 0 : tile.Width, output, 1), tile, args);
    }

    private static void Launch(CudaKernels kernels, CudaStream stream, LargeFormat format, string kernel, in LargeTile tile, in Args args, bool fresh = false)
        => kernels.Get(format.Module, kernel, tile.SharedBytes)
            .Launch(stream, new LaunchShape(tile.Grid, 1, 1, 384) { SharedBytes = tile.SharedBytes, ClusterX = tile.Split, Programmatic = !fresh, What = "matmul of many rows" }, args);

    private static void LaunchMma(CudaKernels kernels, CudaStream stream, DeviceWeightKind kind, int name, int grid, in MmaArgs args)
        => kernels.Get(MmaModule, (kind == DeviceWeightKind.Int8Row ? _mmaInt8 : _mmaBf16)[name], MmaSharedBytes)
            .Launch(stream, new LaunchShape(grid, 1, 1, MmaThreads) { SharedBytes = MmaSharedBytes, What = "matmul of many rows" }, args);

    // rows: of one expert, or all.
    private static Args Prepare(CudaContext context, LargeFormat format, in LargeTile tile, in DeviceMatrix x, in QuantizedActivations q, in DeviceWeight w, int rows, in DeviceMatrix y)
    {
        int columns = 128 / format.ElementBytes;
        return new Args
        {
            XMap = TensorMap.Tiled2D(context, x.Data, format.Type, x.Rows, x.Columns, (long)x.Stride * format.ElementBytes, LargeTile.Rows, columns, TensorMapSwizzle.Bytes128),
            WMap = TensorMap.Tiled2D(context, w.Data, format.Type, w.Rows, w.Columns, w.RowBytes, tile.Width / 2, columns, TensorMapSwizzle.Bytes128),
            Y = y.Data,
            XScales = q.Scales,
            WScales = w.Scales,
            YStride = y.Stride,
            XScaleRowStride = q.ScaleRowStride,
            XScaleBlockStride = q.ScaleGroupStride,
            WScaleStride = w.ScaleStride,
            M = x.Rows,
            N = rows,
            K = x.Columns,
            Group = tile.Group,
        };
    }

    private static MmaArgs PrepareMma(in DeviceMatrix x, in QuantizedActivations q, in DeviceWeight w, int rows, in DeviceMatrix y) => new()
    {
        X = x.Data,
        W = w.Data,
        Y = y.Data,
        XScales = q.Scales,
        WScales = w.Scales,
        XRowBytes = (long)x.Stride * (w.Kind == DeviceWeightKind.Bf16 ? 2 : 1),
        WRowBytes = w.RowBytes,
        YStride = y.Stride,
        XScaleStride = q.ScaleRowStride,
        M = x.Rows,
        N = rows,
        K = x.Columns,
        Group = 16,
    };

    private static LargeFormat Format(DeviceWeightKind kind) => kind switch
    {
        DeviceWeightKind.Bf16 => _bf16,
        DeviceWeightKind.Fp8Row => _fp8Row,
        DeviceWeightKind.Fp8Block => _fp8Block,
        _ => _int8Row,
    };

    private static void Check(CudaKernels kernels, in DeviceMatrix x, in QuantizedActivations q, in DeviceWeight w, int rows, int outputs, bool gateUp, in DeviceMatrix y)
    {
        ArgumentNullException.ThrowIfNull(kernels);
        if (!Takes(kernels, w.Kind))
        {
            throw new NotSupportedException($"{w.Kind} weights have no matmul of many rows on {kernels.Target}: decode them to bf16 first");
        }

        ActivationFormat? wanted = Activations(w.Kind);
        DeviceCheck.Matrix(x, wanted switch { null => DType.Bf16, ActivationFormat.Int8Row => DType.I8, _ => DType.F8E4M3 });
        if (wanted is not null)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual((int)q.Format, (int)wanted, nameof(q));
            ArgumentOutOfRangeException.ThrowIfNotEqual(x.Stride % 16, 0, nameof(x));
            DeviceCheck.Pointer(q.Scales);
            DeviceCheck.Vector(w.Scales);
        }

        ArgumentOutOfRangeException.ThrowIfNotEqual(x.Columns, w.Columns, nameof(x));
        ArgumentOutOfRangeException.ThrowIfNotEqual(w.RowBytes % 16, 0, nameof(w));
        ArgumentOutOfRangeException.ThrowIfNotEqual(w.Data % 16, 0, nameof(w));
        DeviceCheck.Pointer(w.Data);
        DeviceCheck.Matrix(y, DType.Bf16, gateUp ? DType.Bf16 : DType.F32);
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Columns, outputs, nameof(y));
        if (gateUp)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual(rows % 2, 0, nameof(w));
            if (w.Kind == DeviceWeightKind.Fp8Block)
            {
                // The up half begins with a block of its own.
                ArgumentOutOfRangeException.ThrowIfNotEqual(outputs % DeviceWeight.BlockSide, 0, nameof(w));
            }
        }
    }

    // FP8's wide tiles live on registers that the producer gives away (setmaxnreg). An assembler that ignores it has them spill in the innermost loop, at a third
    // of the speed; narrow ones fit without.
    private static ReadOnlySpan<int> Unspilt(CudaKernels kernels, DeviceWeightKind kind, LargeFormat format, ReadOnlySpan<int> widths, int output, int work)
    {
        while (IsFp8(kind) && widths.Length > 1 && kernels.Get(format.Module, format.Kernel(widths[0], output, work)).LocalBytes > 0)
        {
            widths = widths[1..];
        }

        return widths;
    }

    private static bool IsFp8(DeviceWeightKind kind) => kind is DeviceWeightKind.Fp8Row or DeviceWeightKind.Fp8Block;

    private static long Ceil(int a, int b) => ((long)a + b - 1) / b;

    /// <summary>MatMulLargeParams of MatMulLarge.cuh.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Args
    {
        public TensorMap XMap;
        public TensorMap WMap;
        public nint Y;
        public nint Bias;
        public nint Residual;
        public nint XScales;
        public nint WScales;
        public nint Tiles;
        public nint NumTiles;
        public nint ExpertOffsets;
        public long YStride;
        public long ResidualStride;
        public long XScaleRowStride;
        public long XScaleBlockStride;
        public int WScaleStride;
        public int M;
        public int N;
        public int K;
        public int Group;
        public int ExpertScaleStride;
    }

    /// <summary>MatMulMmaParams of MatMulLargeMma.cu.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct MmaArgs
    {
        public nint X;
        public nint W;
        public nint Y;
        public nint Bias;
        public nint Residual;
        public nint XScales;
        public nint WScales;
        public nint Tiles;
        public nint NumTiles;
        public nint ExpertOffsets;
        public long XRowBytes;
        public long WRowBytes;
        public long ExpertBytes;
        public long YStride;
        public long ResidualStride;
        public long XScaleStride;
        public int ExpertScaleStride;
        public int M;
        public int N;
        public int K;
        public int Group;
    }
}
