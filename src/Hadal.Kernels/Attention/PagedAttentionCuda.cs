using System.Runtime.InteropServices;
using Hadal.Cuda;
using Hadal.Kernels.Cuda;
using Hadal.Numerics;

namespace Hadal.Kernels.Attention;

/// <summary><see cref="PagedAttention"/> on the card: o[t, h] = Σ_s softmax_s(scale · q[t, h]·k[s, h/g]) · v[s, h/g], s ≤ position of t.</summary>
/// <remarks>
/// q, o: [T, H·D] bf16, strides multiples of 8; pages: rows [k of all kv heads | v of all kv heads], bf16 or e4m3, with the step's own keys in them.
/// Sequences whose rows (tokens · heads of a group) fit <see cref="DecodeRows"/> have their context cut over blocks (<see cref="AttentionSplit"/>); a tile of more rows
/// walks its context in one block. Which it is depends on the sequence alone, so a row does not depend on the other sequences of its step while the split is the same.
/// A sequence without context (padding) gets zeros. Scores and sums are f32, weights are rounded to bf16.
/// Head widths that are no multiple of 8 (of 16 over e4m3), or above 256, take plain loops, and so do q and o of f32, which go with pages of f32.
/// </remarks>
public static class PagedAttentionCuda
{
    private const int KeysOfTile = 64;

    public static void Run(
        CudaKernels kernels,
        CudaStream stream,
        DeviceMatrix q,
        in DeviceStep step,
        nint pages,
        DType pagesType,
        int numHeads,
        int numKvHeads,
        float scale,
        DeviceMatrix o,
        int maxQueryLen,
        nint workspace,
        nint counters,
        bool deterministic = false)
    {
        ArgumentNullException.ThrowIfNull(kernels);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(numKvHeads);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(numHeads);
        ArgumentOutOfRangeException.ThrowIfNotEqual(numHeads % numKvHeads, 0, nameof(numHeads));
        ArgumentOutOfRangeException.ThrowIfNotEqual(q.Columns % numHeads, 0, nameof(q));
        ArgumentOutOfRangeException.ThrowIfNotEqual(o.Columns, q.Columns, nameof(o));
        ArgumentOutOfRangeException.ThrowIfLessThan(q.Rows, step.NumTokens, nameof(q));
        ArgumentOutOfRangeException.ThrowIfLessThan(o.Rows, step.NumTokens, nameof(o));
        PlainAttentionCuda.ThrowIfTypes(q, o, pagesType);
        if (step.NumTokens == 0 || step.NumSequences == 0)
        {
            return;
        }

        int d = q.Columns / numHeads;
        bool e4m3 = pagesType == DType.F8E4M3;
        // Whether a sequence's rows are few or many depends on how its prompt was cut, and with it the order of sums; in plain loops a row stands alone.
        if (deterministic || q.DType == DType.F32 || d % (e4m3 ? 16 : 8) != 0 || d > 256 || q.Stride % 8 != 0 || o.Stride % 8 != 0)
        {
            PlainAttentionCuda.Run(kernels, stream, q, step, pages, pagesType, numHeads, numHeads / numKvHeads, d, d, 2 * numKvHeads * d, numKvHeads * d, scale, o);
            return;
        }

        int group = numHeads / numKvHeads;
        int pairs = Pairs(numHeads, numKvHeads);
        AttentionSplit split = AttentionSplit.For(step.NumSequences, pairs, deterministic);
        var args = new Args
        {
            Step = step,
            Q = q.Data,
            O = o.Data,
            Pages = pages,
            Partials = workspace,
            Counters = counters,
            QStride = q.Stride,
            OStride = o.Stride,
            NumHeads = numHeads,
            NumKvHeads = numKvHeads,
            HeadDim = d,
            Scale = scale * MathF.Log2(MathF.E),
            MinTiles = split.MinTiles,
            MaxParts = split.MaxParts,
            WholeTiles = split.WholeTiles,
        };
        int decodeRows = DecodeRows(numHeads, numKvHeads);
        bool hasLong = (long)maxQueryLen * group > decodeRows;
        if (hasLong && kernels.IsHopper && !e4m3 && (d is 64 or 128))
        {
            // A warpgroup for fetching, two for 64 rows each; two tiles of 128 keys and values.
            int shared = 1024 + (d / 64 * ((128 * 128) + (4 * 128 * 128)));
            CudaFunction prompt = kernels.Get("PagedPromptSm90", d == 64 ? "prompt_64" : "prompt_128", shared);
            prompt.Launch(stream, new LaunchShape(numKvHeads, Tiles(step, group, 128), 1, 384) { SharedBytes = shared, What = "attention of prompts" }, args);
        }
        else if (hasLong)
        {
            int rows = d > 128 ? 64 : 128;
            int tile = KeysOfTile * Padded(d);
            int shared = 1024 + (rows * Padded(d) * 2) + (e4m3 ? 6 * tile : 8 * tile);
            CudaFunction prompt = kernels.Get("PagedAttention", PromptName(d, e4m3), shared);
            prompt.Launch(stream, new LaunchShape(numKvHeads, Tiles(step, group, rows), 1, 128) { SharedBytes = shared, What = "attention of prompts" }, args);
        }

        // One sequence is either; more of them may be both.
        if (!hasLong || step.NumSequences > 1)
        {
            int shared = 1024 + (4 * Math.Max(16 * (Padded(d) + 8) * sizeof(float), 3 * 2 * 16 * Padded(d) * (e4m3 ? 1 : 2)));

            // A block a part; blocks beyond the last part end at once.
            int blocks = (int)Math.Min(int.MaxValue, (long)step.NumSequences * pairs * split.MaxParts);
            CudaFunction decode = kernels.Get("PagedAttention", DecodeName(d, e4m3), shared);
            decode.Launch(stream, new LaunchShape(blocks, 1, 1, 128) { SharedBytes = shared, What = "attention of single tokens" }, args);
        }
    }

    /// <summary>Sequences of at most so many rows (tokens · heads of a group) have their context cut.</summary>
    public static int DecodeRows(int numHeads, int numKvHeads) => 16 * RowTiles(numHeads, numKvHeads);

    /// <summary>Bytes of scratch, of any content, for a step of so many sequences.</summary>
    public static long WorkspaceBytes(int numSequences, int numHeads, int numKvHeads, int headDim, bool deterministic = false)
    {
        int pairs = Pairs(numHeads, numKvHeads);
        return (long)numSequences * pairs * AttentionSplit.For(numSequences, pairs, deterministic).MaxParts * ((16 * Padded(headDim)) + 32) * sizeof(float);
    }

    /// <summary>Bytes of counters for a step of at most so many sequences: zero before the first launch, and zero again after each; launches one after the other may share them.</summary>
    public static long CounterBytes(int numSequences, int numHeads, int numKvHeads) => (long)numSequences * Pairs(numHeads, numKvHeads) * sizeof(int);

    private static int RowTiles(int numHeads, int numKvHeads) => ((numHeads / numKvHeads) + 15) / 16;

    private static int Pairs(int numHeads, int numKvHeads) => numKvHeads * RowTiles(numHeads, numKvHeads);

    private static int Padded(int d) => d <= 64 ? 64 : d <= 128 ? 128 : 256;

    // A sequence has a tile more than its share of all rows at most.
    private static int Tiles(in DeviceStep step, int group, int rows) => (int)(((long)step.NumTokens * group / rows) + step.NumSequences);

    private static string DecodeName(int d, bool e4m3) => (Padded(d), e4m3) switch
    {
        (64, false) => "decode_64_bf16",
        (64, true) => "decode_64_e4m3",
        (128, false) => "decode_128_bf16",
        (128, true) => "decode_128_e4m3",
        (_, false) => "decode_256_bf16",
        (_, true) => "decode_256_e4m3",
    };

    private static string PromptName(int d, bool e4m3) => (Padded(d), e4m3) switch
    {
        (64, false) => "prompt_64_bf16",
        (64, true) => "prompt_64_e4m3",
        (128, false) => "prompt_128_bf16",
        (128, true) => "prompt_128_e4m3",
        (_, false) => "prompt_256_bf16",
        (_, true) => "prompt_256_e4m3",
    };

    [StructLayout(LayoutKind.Sequential)]
    internal struct Args
    {
        public DeviceStep Step;
        public nint Q;
        public nint O;
        public nint Pages;
        public nint Partials;
        public nint Counters;
        public int QStride;
        public int OStride;
        public int NumHeads;
        public int NumKvHeads;
        public int HeadDim;
        public float Scale;
        public int MinTiles;
        public int MaxParts;
        public int WholeTiles;
        public int Reserved;
    }
}
