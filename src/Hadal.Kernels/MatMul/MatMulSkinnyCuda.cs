using System.Runtime.InteropServices;
using Hadal.Cuda;
using Hadal.Kernels.Cuda;
using Hadal.Kernels.Moe;
using Hadal.Numerics;

namespace Hadal.Kernels.MatMul;

/// <summary>Launches the kernels of skinny.cuh: see there and docs/kernels/matmul-cuda.md.</summary>
/// <remarks>
/// Weights are decoded to bf16 or f16 exactly (but for e4m3's NaN codes, which become ±480 in bf16), products are summed in f32, scales are applied to f32 sums.
/// On Hopper up to 8 rows that meet 8-bit weights go to f16 slab by slab of 128 columns, where the slab's largest value is from 2^-9 up to 2^16: what is smaller
/// than 2^-17 there loses at most 2^-25. With <c>pinned</c> x stays bf16.
/// Streams: a row's bits depend on K, the layout of the weights and the card, with <c>pinned</c> on nothing else; otherwise also on the number of warps
/// that fit, which for 4-bit weights changes with the number of tokens. Panels: on the number of row tiles too.
/// </remarks>
internal static class MatMulSkinnyCuda
{
    /// <summary>Rows of W of an expert up to which 8-token kernels are taken per expert on average.</summary>
    private const int EightTokens = 8;

    /// <summary>Rows up to which a block norms them all by itself: each row costs it a round trip to L2, and the norm's own launch is one for all rows.</summary>
    public const int NormRows = 2;

    // As in norm_rows of skinny.cuh: words to add up in and powers of two; columns a warp takes.
    private const int NormTableBytes = 256;
    private const int NormColumns = 1024;

    // With fewer than this the rings are too short to keep memory busy.
    private const int LeastNormWarps = 6;

    public static void Stream(
        CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in DeviceWeight w, bool gateUp, nint bias, in DeviceMatrix residual, in DeviceMatrix y, bool pinned, in WeightsAhead ahead = default)
    {
        SkinnyFormat format = SkinnyFormat.Of(w);
        CudaDevice device = kernels.Context.Device;
        Args args = Prepare(format, x, w, gateUp, y);
        args.Bias = bias;
        args.Residual = residual.Data;
        args.ResidualStride = residual.Stride;
        args.Exact = pinned ? 1 : 0;
        Read(ref args, ahead);
        bool eight = x.Rows <= 8;
        int tokens = eight ? 8 : 16;
        int blocks = device.MultiprocessorCount;
        args.TileRows = SkinnyPlan.TileRows(args.Rows, gateUp, blocks);
        args.NumTiles = SkinnyPlan.Ceil(args.Rows, args.TileRows);
        int items = checked(args.NumTiles * SkinnyPlan.Ceil(x.Rows, tokens));
        int warps = Size(format, ref args, w, Math.Min(x.Rows, tokens), 0, device, pinned, out int shared);
        kernels.Get(format.Module, eight ? format.Stream8 : format.Stream16, shared)
            .Launch(stream, new LaunchShape(Math.Min(blocks, items), 1, 1, 32 * warps) { SharedBytes = shared, What = "matmul of few rows" }, args);
    }

    /// <summary>Whether <see cref="StreamNorm"/> takes so many rows: a block holds all of them, normed, beside its warps' rings.</summary>
    public static bool TakesNorm(CudaDevice device, in DeviceWeight w, int rows)
    {
        SkinnyFormat format = SkinnyFormat.Of(w);
        int warps = NormWarps(format, w, rows, 0, device, out _);
        // Narrow weights have no use for more.
        int wanted = Math.Min(LeastNormWarps, SkinnyPlan.Warps(Slabs(w), format.Stages, format.SlabBytes(w.Mins != 0), rows, 0, device.MaxSharedBytesPerBlock));
        return rows <= NormRows && w.Columns % 8 == 0 && warps >= wanted && Slabs(w) * format.SlabColumns <= warps * NormColumns;
    }

    /// <summary>As <see cref="Stream"/> of rms_norm(x) · norm weight, each block norming all rows for itself: one launch less, and f16 where weights go to it.</summary>
    /// <param name="kernels">The kernels.</param>
    /// <param name="stream">The stream.</param>
    /// <param name="x">[.., K] f32; at most <see cref="NormRows"/> rows are taken.</param>
    /// <param name="norm">What norms it.</param>
    /// <param name="w">[N, K].</param>
    /// <param name="gateUp">The first half of w's rows is gate, the second up.</param>
    /// <param name="bias">[N] f32 on the card, or 0.</param>
    /// <param name="y">[M, N].</param>
    /// <param name="ahead">What the next matmul reads first.</param>
    public static void StreamNorm(
        CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in RowNorm norm, in DeviceWeight w, bool gateUp, nint bias, in DeviceMatrix y, in WeightsAhead ahead = default)
    {
        SkinnyFormat format = SkinnyFormat.Of(w);
        CudaDevice device = kernels.Context.Device;
        Args args = Prepare(format, x, w, gateUp, y);
        args.Tokens = y.Rows;
        args.Bias = bias;
        args.NormWeight = norm.Weight;
        args.NormEps = norm.Eps;
        args.XIndex = norm.Rows;
        Read(ref args, ahead);
        int blocks = device.MultiprocessorCount;
        args.TileRows = SkinnyPlan.TileRows(args.Rows, gateUp, blocks);
        args.NumTiles = SkinnyPlan.Ceil(args.Rows, args.TileRows);
        args.XRows = y.Rows;
        args.SlotBytes = format.SlabBytes(w.Mins != 0);
        int warps = NormWarps(format, w, y.Rows, 0, device, out int shared);
        kernels.Get(format.Module, format.StreamNorm, shared)
            .Launch(stream, new LaunchShape(Math.Min(blocks, args.NumTiles), 1, 1, 32 * warps) { SharedBytes = shared, What = "norm and matmul of few rows" }, args);
    }

    /// <param name="kernels">The kernels.</param>
    /// <param name="stream">The stream.</param>
    /// <param name="x">[T, K], or with <paramref name="sortedRows"/> [P, K] in order of expert.</param>
    /// <param name="w">The experts' rows, expert by expert.</param>
    /// <param name="numExperts">E.</param>
    /// <param name="gateUp">An expert's rows are gate, then up.</param>
    /// <param name="order">Order of the pairs.</param>
    /// <param name="topK">Pairs of a token.</param>
    /// <param name="sortedRows">x lies in order of expert already.</param>
    /// <param name="y">[P, N] in order of expert.</param>
    /// <param name="pinned">One shape for every number of tokens.</param>
    /// <param name="early">The launch before this one is of these kernels too, and <paramref name="order"/> is older than that: weights are asked for before it ends.</param>
    /// <param name="residual">[P, N] f32, added; may be y, or default.</param>
    public static void Grouped(
        CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in DeviceWeight w, int numExperts, bool gateUp, in ExpertOrder order, int topK, bool sortedRows, in DeviceMatrix y, bool pinned,
        bool early = false, in DeviceMatrix residual = default)
    {
        SkinnyFormat format = SkinnyFormat.Of(w);
        CudaDevice device = kernels.Context.Device;
        Args args = PrepareExperts(format, x, w, numExperts, gateUp, order, topK, y);
        args.Residual = residual.Data;
        args.ResidualStride = residual.Stride;
        args.SortedPairs = sortedRows ? 0 : order.SortedPairs;
        args.Exact = pinned ? 1 : 0;
        args.Early = early ? 1 : 0;
        bool eight = y.Rows <= (long)EightTokens * numExperts || y.Rows / topK <= 8;
        int tokens = eight ? 8 : 16;
        long items = (long)args.NumTiles * Math.Min(y.Rows, (y.Rows / tokens) + numExperts);
        int warps = Size(format, ref args, w, tokens, ExpertTableBytes(numExperts), device, pinned, out int shared);
        kernels.Get(format.Module, eight ? format.Grouped8 : format.Grouped16, shared)
            .Launch(stream, new LaunchShape((int)Math.Min(device.MultiprocessorCount, items), 1, 1, 32 * warps) { SharedBytes = shared, What = "matmul of experts" }, args);
    }

    /// <summary>Gate and up of one token's experts, the token normed by each block for itself: see <see cref="StreamNorm"/>.</summary>
    public static void GroupedNorm(CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in RowNorm norm, in DeviceWeight w, int numExperts, in ExpertOrder order, int topK, in DeviceMatrix y)
    {
        SkinnyFormat format = SkinnyFormat.Of(w);
        CudaDevice device = kernels.Context.Device;
        Args args = PrepareExperts(format, x, w, numExperts, gateUp: true, order, topK, y);
        args.NormWeight = norm.Weight;
        args.NormEps = norm.Eps;
        args.XRows = 1;
        args.SlotBytes = format.SlabBytes(w.Mins != 0);
        int warps = NormWarps(format, w, 1, ExpertTableBytes(numExperts), device, out int shared);
        long items = (long)args.NumTiles * y.Rows;
        kernels.Get(format.Module, format.GroupedNorm, shared)
            .Launch(stream, new LaunchShape((int)Math.Min(device.MultiprocessorCount, items), 1, 1, 32 * warps) { SharedBytes = shared, What = "norm and matmul of experts" }, args);
    }

    public static void Panel(
        CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in DeviceWeight w, bool gateUp, nint bias, in DeviceMatrix residual, in DeviceMatrix y, nint workspace, nint counters)
    {
        SkinnyFormat format = SkinnyFormat.Of(w);
        Args args = Prepare(format, x, w, gateUp, y);
        args.Bias = bias;
        args.Residual = residual.Data;
        args.ResidualStride = residual.Stride;
        int tokens = PanelTokens(format, x.Rows);
        (int Tiles, int TokenTiles, int Splits) panels = Panels(format, w, x.Rows, args.Rows, gateUp);
        args.NumTiles = panels.Tiles;
        args.Splits = panels.Splits;
        if (panels.Splits > 1)
        {
            DeviceCheck.Vector(workspace);
            DeviceCheck.Pointer(counters);
            args.Partials = workspace;
            args.Counters = counters;
        }

        int stage = (4 * format.SlabBytes(w.Mins != 0)) + (tokens * 2 * format.SlabColumns);
        int shared = Math.Max(stage * format.PanelStages, tokens * 132 * sizeof(float));
        kernels.Get(format.Module, tokens == 64 ? format.Panel64 : format.Panel32, shared)
            .Launch(stream, new LaunchShape(panels.Tiles, panels.Splits, panels.TokenTiles, 128) { SharedBytes = shared, What = "matmul of a panel of rows" }, args);
    }

    /// <summary>Workspace and counters of <see cref="Panel"/>, plain or gate-up, whichever is more.</summary>
    public static (long Workspace, long Counters) PanelScratch(in DeviceWeight w, int rows)
    {
        SkinnyFormat format = SkinnyFormat.Of(w);
        (int Tiles, int TokenTiles, int Splits) plain = Panels(format, w, rows, w.Rows, gateUp: false);
        (int Tiles, int TokenTiles, int Splits) gateUp = Panels(format, w, rows, Math.Max(1, w.Rows / 2), gateUp: true);
        int tokens = PanelTokens(format, rows);
        return (
            Math.Max(SkinnyPlan.PanelBytes(plain, tokens), SkinnyPlan.PanelBytes(gateUp, tokens)),
            sizeof(int) * Math.Max((long)plain.Tiles * plain.TokenTiles, (long)gateUp.Tiles * gateUp.TokenTiles));
    }

    private static int PanelTokens(SkinnyFormat format, int rows) => rows <= 32 ? 32 : format.PanelTokens;

    private static (int Tiles, int TokenTiles, int Splits) Panels(SkinnyFormat format, in DeviceWeight w, int rows, int outputs, bool gateUp)
        => SkinnyPlan.Panels(rows, outputs, gateUp, (int)((w.RowBytes + 127) / 128), PanelTokens(format, rows));

    private static Args PrepareExperts(SkinnyFormat format, in DeviceMatrix x, in DeviceWeight w, int numExperts, bool gateUp, in ExpertOrder order, int topK, in DeviceMatrix y)
    {
        int rows = w.Rows / numExperts;
        Args args = Prepare(format, x, w with { Rows = rows }, gateUp, y);
        args.Tokens = y.Rows;
        args.ExpertOffsets = order.Offsets;
        args.NumExperts = numExperts;
        args.TopK = topK;
        args.ExpertBytes = rows * w.RowBytes;
        args.ExpertScaleBytes = w.Kind switch
        {
            DeviceWeightKind.Fp8Block => (long)rows / DeviceWeight.BlockSide * w.ScaleStride * sizeof(float),
            DeviceWeightKind.Fp8Row or DeviceWeightKind.Int8Row => (long)rows * sizeof(float),
            _ => (long)rows * format.ScaleBytes,
        };
        args.TileRows = gateUp ? 16 : 32;
        args.NumTiles = SkinnyPlan.Ceil(args.Rows, args.TileRows);
        return args;
    }

    private static int ExpertTableBytes(int numExperts) => ((2 * (numExperts + 1) * sizeof(int)) + 15) / 16 * 16;

    private static int NormWarps(SkinnyFormat format, in DeviceWeight w, int rows, int tableBytes, CudaDevice device, out int shared)
    {
        int slab = format.SlabBytes(w.Mins != 0);
        int rowBytes = tableBytes + NormTableBytes + (Slabs(w) * rows * 2 * format.SlabColumns);
        int warps = SkinnyPlan.Warps(Slabs(w), format.Stages, slab, rows, rowBytes, device.MaxSharedBytesPerBlock);
        shared = OneBlock(device, SkinnyPlan.StreamBytes(warps, format.Stages, slab, rows, rowBytes));
        return warps;
    }

    private static int Slabs(in DeviceWeight w) => (int)((w.RowBytes + 127) / 128);

    // Never two blocks on one multiprocessor: the next launch's would crowd onto some while this one's are unevenly spread.
    private static int OneBlock(CudaDevice device, int shared) => Math.Max(shared, Math.Min(device.MaxSharedBytesPerBlock, (device.MaxSharedBytesPerMultiprocessor / 2) + 1024));

    private static void Read(ref Args args, in WeightsAhead ahead)
    {
        args.Ahead = ahead.Data;
        args.AheadSecond = ahead.Second;
        args.AheadBytes = ahead.Bytes;
    }

    private static int Size(SkinnyFormat format, ref Args args, in DeviceWeight w, int tokenRows, int tableBytes, CudaDevice device, bool pinned, out int shared)
    {
        int slab = format.SlabBytes(w.Mins != 0);
        args.XRows = tokenRows;
        args.SlotBytes = slab + (tokenRows * 2 * format.SlabColumns);
        int most = device.MaxSharedBytesPerBlock;
        int slabs = Slabs(w);
        int warps = pinned
            ? SkinnyPlan.Warps(slabs, format.Stages, slab + (16 * 2 * format.SlabColumns), 16, tableBytes, most)
            : SkinnyPlan.Warps(slabs, format.Stages, args.SlotBytes, tokenRows, tableBytes, most);
        shared = OneBlock(device, SkinnyPlan.StreamBytes(warps, format.Stages, args.SlotBytes, tokenRows, tableBytes));
        return warps;
    }

    private static Args Prepare(SkinnyFormat format, in DeviceMatrix x, in DeviceWeight w, bool gateUp, in DeviceMatrix y)
    {
        _ = format;
        return new Args
        {
            Weights = w.Data,
            Scales = w.Scales,
            Mins = w.Mins,
            X = x.Data,
            Y = y.Data,
            RowBytes = w.RowBytes,
            Rows = gateUp ? w.Rows / 2 : w.Rows,
            UpOffset = gateUp ? w.Rows / 2 : 0,
            Columns = w.Columns,
            Tokens = x.Rows,
            XStride = x.Stride,
            YStride = y.Stride,
            ScaleStride = w.ScaleStride,
            YIsFloat = y.DType == DType.F32 ? 1 : 0,
            Splits = 1,
        };
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct Args
    {
        public nint Weights;
        public nint Scales;
        public nint Mins;
        public nint X;
        public nint Y;
        public nint Bias;
        public nint Residual;
        public nint SortedPairs;
        public nint ExpertOffsets;
        public nint Partials;
        public nint Counters;
        public long RowBytes;
        public long ExpertBytes;
        public long ExpertScaleBytes;
        public int Rows;
        public int Columns;
        public int Tokens;
        public int XStride;
        public int YStride;
        public int ResidualStride;
        public int TileRows;
        public int NumTiles;
        public int UpOffset;
        public int ScaleStride;
        public int NumExperts;
        public int TopK;
        public int YIsFloat;
        public int XRows;
        public int SlotBytes;
        public int Splits;
        public int Exact;
        public int Early;
        public nint NormWeight;
        public nint XIndex;
        public nint Ahead;
        public long AheadSecond;
        public long AheadBytes;
        public float NormEps;
        public int Reserved;
    }
}
