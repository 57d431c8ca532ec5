using System.Runtime.InteropServices;
using Hadal.Cuda;
using Hadal.Kernels.Cuda;
using Hadal.Numerics;

namespace Hadal.Kernels.Moe;

/// <summary><see cref="TopKRouter"/> on the card, and the order of its pairs by expert that grouped matmuls want.</summary>
/// <remarks>
/// logits: [T, E] f32, E at most 512 in at most 32 groups; bias: [E] f32 on the card or 0; ids: [T, top_k] int32, weights: [T, top_k] f32, both without gaps.
/// Among equal scores the lower id wins. A token's choice does not depend on the batch. The order is stable.
/// </remarks>
public static class TopKRouterCuda
{
    public const int MaxExperts = 512;

    // Pairs that one block sorts.
    private const int BlockPairs = 1024;

    // What one block routes and sorts no slower than many blocks and a sort after them, on an H100: one token of 64 experts 2.95 and 3.34 us,
    // 16 tokens 3.27 and 3.36; one token of 256 experts 4.77 and 4.60, 16 tokens 6.24 and 4.79.
    private const int FusedPairs = 512;
    private const int FusedTokens = 16;

    /// <summary>Bytes that <see cref="ExpertOrder.Workspace"/> needs; 0 for few pairs.</summary>
    public static long WorkspaceBytes(int numTokens, in RouterConfig config)
    {
        long pairs = (long)numTokens * config.TopK;
        return pairs <= BlockPairs ? 0 : (pairs + BlockPairs - 1) / BlockPairs * config.NumExperts * sizeof(int);
    }

    /// <summary>Chooses experts, without sorting.</summary>
    public static void Run(CudaKernels kernels, CudaStream stream, in DeviceMatrix logits, nint correctionBias, in RouterConfig config, nint ids, nint weights)
    {
        Args args = Prepare(logits, correctionBias, config, ids, weights);
        if (logits.Rows > 0)
        {
            Route(kernels, stream, config, args);
        }
    }

    /// <summary>Chooses experts and sorts the pairs: one launch for few tokens, two up to 1,024 pairs, four beyond.</summary>
    /// <param name="kernels">The kernels.</param>
    /// <param name="stream">The stream.</param>
    /// <param name="logits">[T, E] f32.</param>
    /// <param name="correctionBias">[E] f32 or 0.</param>
    /// <param name="config">How to choose.</param>
    /// <param name="ids">[T, top_k] int32.</param>
    /// <param name="weights">[T, top_k] f32.</param>
    /// <param name="slots">[T] int64: tokens with a slot below 0 (padding) take no part in the order; 0: all do.</param>
    /// <param name="order">Where the order goes.</param>
    public static void RunSorted(
        CudaKernels kernels, CudaStream stream, in DeviceMatrix logits, nint correctionBias, in RouterConfig config, nint ids, nint weights, nint slots, in ExpertOrder order)
    {
        Args args = Prepare(logits, correctionBias, config, ids, weights);
        AddOrder(ref args, slots, order);
        if (logits.Rows == 0)
        {
            return;
        }

        int pairs = checked(args.NumTokens * args.TopK);
        if (pairs > FusedPairs || args.NumTokens > FusedTokens || args.NumExperts > 64)
        {
            Route(kernels, stream, config, args);
            Sort(kernels, stream, args);
            return;
        }

        int threads = Math.Max(Math.Max(Warps(pairs), Warps(args.NumExperts)), 32 * args.NumTokens);
        string name = args.NumExperts switch { <= 64 => "router_sort_64", <= 256 => "router_sort_256", _ => "router_sort_512" };
        kernels.Get("router", name).Launch(stream, new LaunchShape(1, 1, 1, threads) { What = "router and sort" }, args);
    }

    /// <summary>Sorts the pairs of ids chosen before.</summary>
    public static void Sort(CudaKernels kernels, CudaStream stream, nint ids, int numTokens, in RouterConfig config, nint slots, in ExpertOrder order)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(numTokens);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(config.NumExperts, MaxExperts, nameof(config));
        DeviceCheck.Pointer(ids);
        var args = new Args { Ids = ids, NumTokens = numTokens, NumExperts = config.NumExperts, TopK = config.TopK };
        AddOrder(ref args, slots, order);
        if (numTokens > 0)
        {
            Sort(kernels, stream, args);
        }
    }

    private static int Warps(int count) => (count + 31) / 32 * 32;

    private static Args Prepare(in DeviceMatrix logits, nint correctionBias, in RouterConfig config, nint ids, nint weights)
    {
        int e = config.NumExperts;
        DeviceCheck.Matrix(logits, DType.F32);
        DeviceCheck.Pointer(ids);
        DeviceCheck.Pointer(weights);
        ArgumentOutOfRangeException.ThrowIfNotEqual(logits.Columns, e, nameof(logits));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(e, MaxExperts, nameof(config));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(config.TopK, nameof(config));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(config.TopK, e, nameof(config));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(config.NumGroups, nameof(config));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(config.NumGroups, 32, nameof(config));
        ArgumentOutOfRangeException.ThrowIfNotEqual(e % config.NumGroups, 0, nameof(config));
        return new Args
        {
            Logits = logits.Data,
            Bias = correctionBias,
            Ids = ids,
            Weights = weights,
            LogitsStride = logits.Stride,
            NumTokens = logits.Rows,
            NumExperts = e,
            TopK = config.TopK,
            NumGroups = config.NumGroups,
            TopkGroup = config.TopkGroup,
            Sigmoid = config.Sigmoid ? 1 : 0,
            TopTwo = config.GroupScoreTopTwo ? 1 : 0,
            NormTopk = config.NormTopkProb ? 1 : 0,
            Scaling = config.ScalingFactor,
        };
    }

    private static void AddOrder(ref Args args, nint slots, in ExpertOrder order)
    {
        int pairs = checked(args.NumTokens * args.TopK);
        DeviceCheck.Pointer(order.SortedPairs, nameof(order));
        DeviceCheck.Pointer(order.Positions, nameof(order));
        DeviceCheck.Pointer(order.Offsets, nameof(order));
        ArgumentOutOfRangeException.ThrowIfNegative(order.TileRows, nameof(order));
        if (order.TileRows > 0)
        {
            DeviceCheck.Pointer(order.Tiles, nameof(order));
            DeviceCheck.Pointer(order.NumTiles, nameof(order));
            args.MaxTiles = ExpertOrder.MaxTiles(pairs, args.NumExperts, order.TileRows);
        }

        if (pairs > BlockPairs)
        {
            DeviceCheck.Pointer(order.Workspace, nameof(order));
        }

        args.Slots = slots;
        args.SortedPairs = order.SortedPairs;
        args.Positions = order.Positions;
        args.Offsets = order.Offsets;
        args.Tiles = order.Tiles;
        args.TileCount = order.NumTiles;
        args.Counts = order.Workspace;
        args.TileRows = order.TileRows;
    }

    private static void Route(CudaKernels kernels, CudaStream stream, in RouterConfig config, in Args args)
    {
        string name = config.NumExperts switch { <= 64 => "router_64", <= 256 => "router_256", _ => "router_512" };
        kernels.Get("router", name).Launch(stream, new LaunchShape((args.NumTokens + 3) / 4, 1, 1, 128) { What = "router" }, args);
    }

    private static void Sort(CudaKernels kernels, CudaStream stream, in Args args)
    {
        int pairs = args.NumTokens * args.TopK;
        if (pairs <= BlockPairs)
        {
            kernels.Get("router", "moe_sort").Launch(stream, new LaunchShape(1, 1, 1, Math.Max(Warps(pairs), Warps(args.NumExperts))) { What = "sort by expert" }, args);
            return;
        }

        int chunks = (pairs + BlockPairs - 1) / BlockPairs;
        kernels.Get("router", "moe_sort_count").Launch(stream, new LaunchShape(chunks, 1, 1, BlockPairs) { What = "sort by expert: count" }, args);
        kernels.Get("router", "moe_sort_add").Launch(stream, new LaunchShape(1, 1, 1, MaxExperts) { What = "sort by expert: add" }, args);
        kernels.Get("router", "moe_sort_place").Launch(stream, new LaunchShape(chunks, 1, 1, BlockPairs) { What = "sort by expert: place" }, args);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Args
    {
        public nint Logits;
        public nint Bias;
        public nint Ids;
        public nint Weights;
        public int LogitsStride;
        public int NumTokens;
        public int NumExperts;
        public int TopK;
        public int NumGroups;
        public int TopkGroup;
        public int Sigmoid;
        public int TopTwo;
        public int NormTopk;
        public float Scaling;
        public nint Slots;
        public nint SortedPairs;
        public nint Positions;
        public nint Offsets;
        public nint Tiles;
        public nint TileCount;
        public nint Counts;
        public int TileRows;
        public int MaxTiles;
    }
}
