using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Hadal.Jit;
using Hadal.Kernels.Paging;
using Hadal.Kernels.Vectors;

namespace Hadal.Kernels.Attention.Emitted;

/// <summary>The tasks of <see cref="EmittedAttention"/>: gathers queries and keys, calls the kernel block by block.</summary>
internal unsafe struct EmittedAttentionWork : IWork
{
    public delegate* unmanaged<AttentionArgs*, void> Kernel;
    public MatrixF32 Q;
    public MatrixF32 O;
    public PagedBatch Batch;
    public KvPages Pages;
    public AttentionKernelShape Shape;
    public float Scale;
    public int BlockKeys;

    /// <summary>[B + 1]</summary>
    public int* FirstTask;

    /// <summary>Where chunks are tasks: a state for each; else null.</summary>
    public float* States;

    public WorkSplit Split;

    public readonly void Run(int worker, int numWorkers)
    {
        int stateFloats = AttentionArgs.StateFloats(Shape.ValueDim);
        // A row of zeros stands in for keys and values beyond the last.
        int zeroBytes = Math.Max(Shape.KeyDim, Shape.ValueColumn + Shape.ValueDim) * sizeof(ushort);
        int queryFloats = Shape.KeyDim / 2 * AttentionArgs.Rows;
        float* free = Scratch.Worker(
            queryFloats + (2 * stateFloats) + (BlockKeys * AttentionArgs.Rows) + (BlockKeys / 2 * AttentionArgs.Rows) + (BlockKeys * 2) + zeroBytes + (8 * Tile.Lanes));
        var args = new AttentionArgs
        {
            Queries = (uint*)Tile.Take(ref free, queryFloats),
            Scores = Tile.Take(ref free, BlockKeys * AttentionArgs.Rows),
            Probabilities = (uint*)Tile.Take(ref free, BlockKeys / 2 * AttentionArgs.Rows),
            Keys = (byte**)Tile.Take(ref free, BlockKeys * 2),
            Limits = (int*)Tile.Take(ref free, AttentionArgs.Rows),
            Scale = Scale,
        };
        byte* zeros = (byte*)Tile.Take(ref free, zeroBytes / sizeof(float));
        new Span<byte>(zeros, zeroBytes).Clear();
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

    private readonly void RunTask(int sequence, int task, ref AttentionArgs args, byte* zeros, float* state, float* next)
    {
        int context = Batch.ContextLens[sequence];
        int chunks = ContextChunks.Count(context);
        int chunkKeys = ContextChunks.Keys(context);
        bool split = States != null;
        int group = split ? task / chunks : task;
        int kvHead = group / EmittedAttention.GroupsPerKvHead(Batch, sequence, Shape);
        int seen = Gather(sequence, group, args.Queries, args.Limits);
        if (split)
        {
            int chunk = task - (group * chunks);
            float* own = States + ((nint)(FirstTask[sequence] + task) * AttentionArgs.StateFloats(Shape.ValueDim));
            Attend(sequence, kvHead, chunk * chunkKeys, Math.Min(seen, (chunk + 1) * chunkKeys), ref args, zeros, own);
            return;
        }

        Attend(sequence, kvHead, 0, Math.Min(seen, chunkKeys), ref args, zeros, state);
        for (int from = chunkKeys; from < seen; from += chunkKeys)
        {
            Attend(sequence, kvHead, from, Math.Min(seen, from + chunkKeys), ref args, zeros, next);
            for (int row = 0; row < AttentionArgs.Rows; row++)
            {
                AttentionState.Merge(next, state, row, Shape.ValueDim);
            }
        }

        for (int row = 0; row < AttentionArgs.Rows; row++)
        {
            Finish(sequence, group, row, state);
        }
    }

    /// <summary>The state of keys from…end − 1; nothing seen where there are none.</summary>
    private readonly void Attend(int sequence, int kvHead, int from, int end, ref AttentionArgs args, byte* zeros, float* state)
    {
        AttentionState.Clear(state, Shape.ValueDim);
        args.State = state;
        int* table = Batch.BlockTables + ((nint)sequence * Batch.MaxBlocksPerSequence);
        nint rowBytes = (nint)Shape.RowWidth * sizeof(ushort);
        byte* keys = Pages.Data + ((nint)kvHead * Shape.KeyDim * sizeof(ushort));
        for (int first = from; first < end; first += BlockKeys)
        {
            int count = Math.Min(BlockKeys, end - first);
            int i = 0;
            while (i < count)
            {
                (int page, int slot) = Math.DivRem(first + i, Batch.BlockSize);
                byte* row = keys + ((((nint)table[page] * Batch.BlockSize) + slot) * rowBytes);
                for (int last = Math.Min(count, i + Batch.BlockSize - slot); i < last; i++, row += rowBytes)
                {
                    args.Keys[i] = row;
                }
            }

            args.Groups = (count + AttentionKernelEmitter.KeyGroup - 1) / AttentionKernelEmitter.KeyGroup;
            for (; i < args.Groups * AttentionKernelEmitter.KeyGroup; i++)
            {
                args.Keys[i] = zeros;
            }

            args.FirstKey = first;
            fixed (AttentionArgs* a = &args)
            {
                Kernel(a);
            }
        }
    }

    /// <summary>Queries of a group as pairs of bf16, rows in lanes.</summary>
    /// <returns>Keys that the group's last row sees.</returns>
    private readonly int Gather(int sequence, int group, uint* queries, int* limits)
    {
        int seen = 0;
        for (int lane = 0; lane < AttentionArgs.Rows; lane++)
        {
            if (!TryRow(sequence, group, lane, out int token, out int head))
            {
                // A row that is none sees no key.
                limits[lane] = -1;
                for (int k = 0; k < Shape.KeyDim / 2; k++)
                {
                    queries[(k * AttentionArgs.Rows) + lane] = 0;
                }

                continue;
            }

            limits[lane] = Batch.Positions[token];
            seen = Math.Max(seen, limits[lane] + 1);
            float* q = Q.Row(token) + ((nint)head * Shape.KeyDim);
            uint* target = queries + lane;
            for (int k = 0; k < Shape.KeyDim; k += 8)
            {
                Vector128<uint> pairs = Bf16Pairs.Round(q + k);
                target[0] = pairs.ToScalar();
                target[AttentionArgs.Rows] = Sse41.Extract(pairs, 1);
                target[2 * AttentionArgs.Rows] = Sse41.Extract(pairs, 2);
                target[3 * AttentionArgs.Rows] = Sse41.Extract(pairs, 3);
                target += 4 * AttentionArgs.Rows;
            }
        }

        return seen;
    }

    /// <summary>values / sum, to the output of a group's row, where there is such a row.</summary>
    internal readonly void Finish(int sequence, int group, int lane, float* state)
    {
        if (TryRow(sequence, group, lane, out int token, out int head))
        {
            AttentionState.Finish(state, lane, Shape.ValueDim, O.Row(token) + ((nint)head * Shape.ValueDim));
        }
    }

    /// <summary>The row of the step and the head that a lane of a group stands for; false for lanes beyond the last.</summary>
    private readonly bool TryRow(int sequence, int group, int lane, out int token, out int head)
    {
        (int kvHead, int inHead) = Math.DivRem(group, EmittedAttention.GroupsPerKvHead(Batch, sequence, Shape));
        (int t, int member) = Math.DivRem((inHead * AttentionArgs.Rows) + lane, Shape.Group);
        token = Batch.CuSeqLens[sequence] + t;
        head = (kvHead * Shape.Group) + member;
        return token < Batch.CuSeqLens[sequence + 1];
    }
}
