using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Hadal.Jit;
using Hadal.Kernels.Attention;
using Hadal.Kernels.Paging;
using Hadal.Kernels.Vectors;
using Hadal.Numerics;

namespace Hadal.Kernels.Mla;

/// <summary>The tasks of <see cref="LatentAttentionBf16"/>: gathers queries and keys, calls the kernel block by block.</summary>
internal unsafe struct LatentAttentionWork : IWork
{
    public delegate* unmanaged<LatentArgs*, void> Kernel;
    public MatrixF32 Q;
    public MatrixF32 O;
    public PagedBatch Batch;
    public KvPages Pages;
    public MlaShape Shape;
    public float Scale;
    public int BlockKeys;

    /// <summary>[B + 1]</summary>
    public int* FirstTask;

    /// <summary>Where chunks are tasks: a state for each; else null.</summary>
    public float* States;

    public WorkSplit Split;

    public readonly void Run(int worker, int numWorkers)
    {
        int stateFloats = LatentArgs.StateFloats(Shape.KvLoraRank);
        int queryFloats = Shape.CacheWidth / 2 * LatentArgs.Rows;
        float* free = Scratch.Worker(
            queryFloats + (2 * stateFloats) + (BlockKeys * LatentArgs.Rows) + (BlockKeys / 2 * LatentArgs.Rows) + (BlockKeys * 2) + Shape.CacheWidth + (8 * Tile.Lanes));
        var args = new LatentArgs
        {
            Queries = (uint*)Tile.Take(ref free, queryFloats),
            Scores = Tile.Take(ref free, BlockKeys * LatentArgs.Rows),
            Probabilities = (uint*)Tile.Take(ref free, BlockKeys / 2 * LatentArgs.Rows),
            Keys = (byte**)Tile.Take(ref free, BlockKeys * 2),
            Limits = (int*)Tile.Take(ref free, LatentArgs.Rows),
            Scale = Scale,
        };
        byte* zeros = (byte*)Tile.Take(ref free, Shape.CacheWidth / 2);
        new Span<byte>(zeros, Shape.CacheWidth * 2).Clear();
        float* state = Tile.Take(ref free, stateFloats);
        float* next = Tile.Take(ref free, stateFloats);
        int sequence = 0;
        while (Split.Next(worker, out int first, out int count))
        {
            for (int task = first; task < first + count; task++)
            {
                // Pieces of others' runs may lie further in front.
                sequence = task < FirstTask[sequence] ? 0 : sequence;
                while (task >= FirstTask[sequence + 1])
                {
                    sequence++;
                }

                RunTask(sequence, task - FirstTask[sequence], ref args, zeros, state, next);
            }
        }
    }

    private readonly void RunTask(int sequence, int task, ref LatentArgs args, byte* zeros, float* state, float* next)
    {
        int context = Batch.ContextLens[sequence];
        int chunks = ContextChunks.Count(context);
        int chunkKeys = ContextChunks.Keys(context);
        bool split = States != null;
        int group = split ? task / chunks : task;
        int seen = Gather(sequence, group, args.Queries, args.Limits);
        if (split)
        {
            int chunk = task - (group * chunks);
            float* own = States + ((nint)(FirstTask[sequence] + task) * LatentArgs.StateFloats(Shape.KvLoraRank));
            Attend(sequence, chunk * chunkKeys, Math.Min(seen, (chunk + 1) * chunkKeys), ref args, zeros, own);
            return;
        }

        Attend(sequence, 0, Math.Min(seen, chunkKeys), ref args, zeros, state);
        for (int from = chunkKeys; from < seen; from += chunkKeys)
        {
            Attend(sequence, from, Math.Min(seen, from + chunkKeys), ref args, zeros, next);
            for (int row = 0; row < LatentArgs.Rows; row++)
            {
                LatentState.Merge(next, state, row, Shape.KvLoraRank);
            }
        }

        for (int row = 0; row < LatentArgs.Rows; row++)
        {
            Finish(sequence, group, row, state);
        }
    }

    /// <summary>The state of keys from…end − 1; nothing seen where there are none.</summary>
    private readonly void Attend(int sequence, int from, int end, ref LatentArgs args, byte* zeros, float* state)
    {
        LatentState.Clear(state, Shape.KvLoraRank);
        args.State = state;
        int* table = Batch.BlockTables + ((nint)sequence * Batch.MaxBlocksPerSequence);
        nint rowBytes = (nint)Shape.CacheWidth * sizeof(ushort);
        for (int first = from; first < end; first += BlockKeys)
        {
            int count = Math.Min(BlockKeys, end - first);
            int i = 0;
            while (i < count)
            {
                (int page, int slot) = Math.DivRem(first + i, Batch.BlockSize);
                byte* row = Pages.Data + ((((nint)table[page] * Batch.BlockSize) + slot) * rowBytes);
                for (int last = Math.Min(count, i + Batch.BlockSize - slot); i < last; i++, row += rowBytes)
                {
                    args.Keys[i] = row;
                }
            }

            args.Groups = (count + LatentKernelEmitter.KeyGroup - 1) / LatentKernelEmitter.KeyGroup;
            for (; i < args.Groups * LatentKernelEmitter.KeyGroup; i++)
            {
                args.Keys[i] = zeros;
            }

            args.FirstKey = first;
            fixed (LatentArgs* a = &args)
            {
                Kernel(a);
            }
        }
    }

    /// <summary>Queries of a group as pairs of bf16, rows in lanes.</summary>
    /// <returns>Keys that the group's last row sees.</returns>
    private readonly int Gather(int sequence, int group, uint* queries, int* limits)
    {
        int firstToken = Batch.CuSeqLens[sequence];
        int rows = (Batch.CuSeqLens[sequence + 1] - firstToken) * Shape.NumHeads;
        int seen = 0;
        for (int lane = 0; lane < LatentArgs.Rows; lane++)
        {
            int row = (group * LatentArgs.Rows) + lane;
            if (row >= rows)
            {
                // A row that is none sees no key.
                limits[lane] = -1;
                for (int k = 0; k < Shape.CacheWidth / 2; k++)
                {
                    queries[(k * LatentArgs.Rows) + lane] = 0;
                }

                continue;
            }

            (int t, int head) = Math.DivRem(row, Shape.NumHeads);
            limits[lane] = Batch.Positions[firstToken + t];
            seen = Math.Max(seen, limits[lane] + 1);
            float* q = Q.Row(firstToken + t) + ((nint)head * Shape.CacheWidth);
            uint* target = queries + lane;
            for (int k = 0; k < Shape.CacheWidth; k += 8)
            {
                Vector128<uint> pairs = Bf16Pairs.Round(q + k);
                target[0] = pairs.ToScalar();
                target[LatentArgs.Rows] = Sse41.Extract(pairs, 1);
                target[2 * LatentArgs.Rows] = Sse41.Extract(pairs, 2);
                target[3 * LatentArgs.Rows] = Sse41.Extract(pairs, 3);
                target += 4 * LatentArgs.Rows;
            }
        }

        return seen;
    }

    /// <summary>values / sum, to the output of a group's row, where there is such a row.</summary>
    internal readonly void Finish(int sequence, int group, int lane, float* state)
    {
        int firstToken = Batch.CuSeqLens[sequence];
        (int t, int head) = Math.DivRem((group * LatentArgs.Rows) + lane, Shape.NumHeads);
        if (firstToken + t < Batch.CuSeqLens[sequence + 1])
        {
            LatentState.Finish(state, lane, Shape.KvLoraRank, O.Row(firstToken + t) + ((nint)head * Shape.KvLoraRank));
        }
    }
}
