using System.Runtime.InteropServices;
using Hadal.Cuda;
using Hadal.Kernels.Attention;
using Hadal.Kernels.Cuda;
using Hadal.Numerics;

namespace Hadal.Kernels.Mla;

/// <summary><see cref="MlaLatentAttention"/> on the card: oLatent[t, h] = Σ_s softmax_s(scale · qLatent[t, h]·page_s) · page_s[0..C)</summary>
/// <remarks>
/// qLatent: [T, H·(C+R)] bf16; pages: rows of C+R, bf16 or e4m3; oLatent: [T, H·C] bf16. C 512 with R 64 runs on tensor cores, a page row read once for 16, 32 or 64 rows
/// (token, head); other widths take plain loops, and so do queries and outputs of f32, which go with pages of f32. Sequences of one token have their context cut (<see cref="AttentionSplit"/>), longer ones a tile of 64 rows a block.
/// Which it is depends on the sequence alone, so a row does not depend on the other sequences of its step while the split is the same. A sequence without context gets zeros.
/// </remarks>
public static class MlaLatentAttentionCuda
{
    private const int Rank = 512;
    private const int Width = 576;
    private const int KeysOfTile = 64;

    // Of blocks of sixteen rows.
    private const int KeysOfSmallTile = 16;

    public static void Run(
        CudaKernels kernels,
        CudaStream stream,
        DeviceMatrix qLatent,
        in DeviceStep step,
        nint pages,
        DType pagesType,
        MlaShape shape,
        float scale,
        DeviceMatrix oLatent,
        int maxQueryLen,
        nint workspace,
        bool deterministic = false)
    {
        ArgumentNullException.ThrowIfNull(kernels);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(shape.NumHeads, nameof(shape));
        ArgumentOutOfRangeException.ThrowIfNotEqual(qLatent.Columns, shape.NumHeads * shape.CacheWidth, nameof(qLatent));
        ArgumentOutOfRangeException.ThrowIfNotEqual(oLatent.Columns, shape.NumHeads * shape.KvLoraRank, nameof(oLatent));
        ArgumentOutOfRangeException.ThrowIfLessThan(qLatent.Rows, step.NumTokens, nameof(qLatent));
        ArgumentOutOfRangeException.ThrowIfLessThan(oLatent.Rows, step.NumTokens, nameof(oLatent));
        PlainAttentionCuda.ThrowIfTypes(qLatent, oLatent, pagesType);
        if (step.NumTokens == 0 || step.NumSequences == 0)
        {
            return;
        }

        // Whether a sequence goes by its own tokens or by tiles of them depends on how its prompt was cut, and with it the order of sums; in plain loops a row stands alone.
        if (deterministic || qLatent.DType == DType.F32 || !IsFast(shape) || qLatent.Stride % 8 != 0 || oLatent.Stride % 8 != 0)
        {
            PlainAttentionCuda.Run(
                kernels, stream, qLatent, step, pages, pagesType, shape.NumHeads, shape.NumHeads, shape.CacheWidth, shape.KvLoraRank, shape.CacheWidth, 0, scale, oLatent);
            return;
        }

        int tiles = RowTiles(shape.NumHeads);
        int shortRows = ShortRows(shape.NumHeads);
        AttentionSplit split = Split(step.NumSequences, shape.NumHeads, deterministic);
        bool e4m3 = pagesType == DType.F8E4M3;
        var args = new Args
        {
            Step = step,
            Q = qLatent.Data,
            O = oLatent.Data,
            Pages = pages,
            Partials = workspace,
            QStride = qLatent.Stride,
            OStride = oLatent.Stride,
            NumHeads = shape.NumHeads,
            Scale = scale * MathF.Log2(MathF.E),
            RowTiles = (shortRows + (16 * tiles) - 1) / (16 * tiles),
        };
        bool hasLong = (long)maxQueryLen * shape.NumHeads > shortRows;
        if (hasLong)
        {
            Args long_ = args with { MinTiles = 1, MaxParts = 1, MinRows = shortRows + 1, MaxRows = int.MaxValue };
            int shared = SharedBytes(4, e4m3);
            int blocks = (int)(((long)step.NumTokens * shape.NumHeads / 64) + step.NumSequences);
            kernels.Get("MlaLatentAttention", Name(4, e4m3), shared)
                .Launch(stream, new LaunchShape(blocks, 1, 1, 256) { SharedBytes = shared, What = "latent attention of prompts" }, long_);
        }

        if (!hasLong || step.NumSequences > 1)
        {
            args.MinTiles = split.MinTiles;
            args.MaxParts = split.MaxParts;
            args.WholeTiles = split.WholeTiles;
            args.MinRows = 1;
            args.MaxRows = shortRows;
            int shared = SharedBytes(tiles, e4m3);
            int blocks = step.NumSequences * args.RowTiles * split.MaxParts;
            kernels.Get("MlaLatentAttention", Name(tiles, e4m3), shared)
                .Launch(stream, new LaunchShape(blocks, 1, 1, tiles == 1 ? 128 : 256) { SharedBytes = shared, What = "latent attention of single tokens" }, args);
            if ((long)step.MaxBlocks * step.BlockSize > split.WholeTiles * (tiles == 1 ? KeysOfSmallTile : KeysOfTile))
            {
                int combineShared = (split.MaxParts + 7) / 8 * 8 * sizeof(float);
                kernels.Get("MlaLatentAttention", tiles switch { 1 => "combine_1", 2 => "combine_2", _ => "combine_4" }, combineShared)
                    .Launch(stream, new LaunchShape(shortRows, step.NumSequences, 1, 128) { SharedBytes = combineShared, What = "latent attention's parts" }, args);
            }
        }
    }

    /// <summary>Bytes of scratch, of any content, for a step of so many sequences.</summary>
    public static long WorkspaceBytes(int numSequences, MlaShape shape, bool deterministic = false)
    {
        if (!IsFast(shape))
        {
            return 0;
        }

        int rows = 16 * RowTiles(shape.NumHeads);
        return (long)numSequences * ((ShortRows(shape.NumHeads) + rows - 1) / rows) * Split(numSequences, shape.NumHeads, deterministic).MaxParts * rows * (Rank + 2) * sizeof(float);
    }

    private static bool IsFast(MlaShape shape) => shape is { KvLoraRank: Rank, QkRopeHeadDim: Width - Rank };

    private static AttentionSplit Split(int numSequences, int numHeads, bool deterministic)
    {
        int rows = 16 * RowTiles(numHeads);
        return AttentionSplit.ForLatents(numSequences, (ShortRows(numHeads) + rows - 1) / rows, rows == 16 ? KeysOfSmallTile : KeysOfTile, deterministic);
    }

    // Tiles of 16 rows a block has for single tokens.
    private static int RowTiles(int numHeads) => numHeads <= 16 ? 1 : numHeads <= 32 ? 2 : 4;

    private static int ShortRows(int numHeads) => Math.Max(16 * RowTiles(numHeads), numHeads);

    // As MlaLatentAttention.cu lays it out: for 16 rows a ring of tiles of 16 keys; for more, queries, weights and two tiles of 64 keys (of e4m3: and one in bf16).
    private static int SharedBytes(int tiles, bool e4m3) => tiles == 1
        ? 8192 + (16 * Width * (e4m3 ? 6 : 5 * 2))
        : 3072 + (16 * tiles * (128 + (Width * 2))) + (KeysOfTile * Width * 4);

    private static string Name(int tiles, bool e4m3) => (tiles, e4m3) switch
    {
        (1, false) => "latent_1_bf16",
        (1, true) => "latent_1_e4m3",
        (2, false) => "latent_2_bf16",
        (2, true) => "latent_2_e4m3",
        (_, false) => "latent_4_bf16",
        (_, true) => "latent_4_e4m3",
    };

    [StructLayout(LayoutKind.Sequential)]
    internal struct Args
    {
        public DeviceStep Step;
        public nint Q;
        public nint O;
        public nint Pages;
        public nint Partials;
        public int QStride;
        public int OStride;
        public int NumHeads;
        public float Scale;
        public int MinTiles;
        public int MaxParts;
        public int MinRows;
        public int MaxRows;
        public int RowTiles;
        public int WholeTiles;
    }
}
