using System.Runtime.Intrinsics;
using Hadal.Jit;
using Hadal.Kernels.Paging;
using Hadal.Kernels.Vectors;

namespace Hadal.Kernels.Attention;

/// <summary>Flash attention over pages, for grouped-query and for latent attention.</summary>
/// <remarks>
/// A task is a block of tokens of one sequence times the heads that share a KV head: its keys and values are read once for all of them.
/// A context is summed in chunks whose states are merged in order. The chunks depend on the context's length alone; whether one worker
/// walks through them or many share them (few tasks, long context) changes no bit, nor does who else is in the batch.
/// </remarks>
internal static unsafe class PagedFlash
{
    // About a microsecond and a half of one core: less is not worth a worker's wake-up.
    private const long MultiplyAddsPerWorker = 1 << 16;

    private const float Log2E = 1.44269504f;

    public static void Forward(WorkerPool pool, MatrixF32 q, in PagedBatch batch, KvPages pages, FlashShape shape, float scale, MatrixF32 o)
    {
        int numTokens = batch.NumTokens;
        PagedBatchCheck.ThrowIfInvalid(batch, pages);
        ArgumentOutOfRangeException.ThrowIfNotEqual(q.Rows, numTokens, nameof(q));
        ArgumentOutOfRangeException.ThrowIfNotEqual(o.Rows, numTokens, nameof(o));
        ArgumentOutOfRangeException.ThrowIfNotEqual(q.Columns, shape.NumHeads * shape.KeyDim, nameof(q));
        ArgumentOutOfRangeException.ThrowIfNotEqual(o.Columns, shape.NumHeads * shape.ValueDim, nameof(o));
        if (numTokens == 0)
        {
            return;
        }

        if (Lanes512.IsSupported)
        {
            Run<Lanes512, Vector512<float>>(pool, q, batch, pages, shape, scale, o);
        }
        else if (Lanes256.IsSupported)
        {
            Run<Lanes256, Vector256<float>>(pool, q, batch, pages, shape, scale, o);
        }
        else
        {
            Run<Lanes128, Vector128<float>>(pool, q, batch, pages, shape, scale, o);
        }
    }

    private static void Run<TLanes, TV>(WorkerPool pool, MatrixF32 q, in PagedBatch batch, KvPages pages, FlashShape shape, float scale, MatrixF32 o)
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        long multiplyAdds = 0;
        int numGroups = 0;
        int numChunks = 0;
        for (int b = 0; b < batch.NumSequences; b++)
        {
            int groups = NumGroups(batch, b, shape);
            numGroups += groups;
            numChunks += groups * ContextChunks.Count(batch.ContextLens[b]);
            multiplyAdds += (long)(batch.CuSeqLens[b + 1] - batch.CuSeqLens[b]) * batch.ContextLens[b] * shape.NumHeads * (shape.KeyDim + shape.ValueDim);
        }

        int crew = (int)Math.Clamp(multiplyAdds / MultiplyAddsPerWorker, 1, pool.NumWorkers);
        bool split = numGroups < crew && numChunks > numGroups;
        int numTasks = split ? numChunks : numGroups;
        nint stateFloats = OnlineSoftmax<TLanes, TV>.StateFloats(shape.HeadsPerTask * shape.TokensPerTask, shape.ValueDim);
        float* free = Scratch.Call(Tile.Lanes + Tile.Pad(batch.NumSequences + 1) + (split ? Tile.Pad(numTasks) + (numTasks * stateFloats) : 0));
        var work = new Work<TLanes, TV>
        {
            Q = q,
            Batch = batch,
            Pages = pages,
            Shape = shape,
            Scale = scale * Log2E,
            O = o,
            Split = split,
            Next = (int*)Tile.Take(ref free, 1),
            FirstTask = (int*)Tile.Take(ref free, batch.NumSequences + 1),
            ChunksDone = (int*)Tile.Take(ref free, split ? numTasks : 0),
            States = free,
            StateFloats = stateFloats,
        };
        *work.Next = 0;
        int task = 0;
        for (int b = 0; b < batch.NumSequences; b++)
        {
            work.FirstTask[b] = task;
            task += NumGroups(batch, b, shape) * (split ? ContextChunks.Count(batch.ContextLens[b]) : 1);
        }

        work.FirstTask[batch.NumSequences] = task;
        if (split)
        {
            new Span<int>(work.ChunksDone, task).Clear();
        }

        pool.Run(ref work, Math.Min(crew, task));
    }

    /// <summary>Token blocks times head blocks of one sequence.</summary>
    private static int NumGroups(in PagedBatch batch, int sequence, FlashShape shape)
    {
        int rows = batch.CuSeqLens[sequence + 1] - batch.CuSeqLens[sequence];
        return (rows + shape.TokensPerTask - 1) / shape.TokensPerTask * shape.NumKvHeads * shape.HeadBlocks;
    }

    private struct Work<TLanes, TV> : IWork
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        public MatrixF32 Q;
        public PagedBatch Batch;
        public KvPages Pages;
        public FlashShape Shape;
        public float Scale;
        public MatrixF32 O;
        public bool Split;

        /// <summary>The next task nobody has taken; on a cache line of its own.</summary>
        public int* Next;

        /// <summary>[B + 1]</summary>
        public int* FirstTask;

        /// <summary>Where chunks are tasks: at the first chunk of a group, how many of the group are done. Who does the last one merges.</summary>
        public int* ChunksDone;

        /// <summary>Where chunks are tasks: a state for each.</summary>
        public float* States;

        public nint StateFloats;

        public readonly void Run(int worker, int numWorkers)
        {
            int maxRows = Shape.HeadsPerTask * Shape.TokensPerTask;
            nint tile = (nint)OnlineSoftmax<TLanes, TV>.BlockKeys * (Tile.Stride(Shape.KeyDim) + Tile.Stride(Shape.ValueDim));
            float* scratch = Scratch.Worker(OnlineSoftmax<TLanes, TV>.Floats(maxRows, Shape.KeyDim) + tile + (2 * StateFloats) + (4 * Tile.Lanes));
            int numTasks = FirstTask[Batch.NumSequences];
            int sequence = 0;
            int task;
            while ((task = Interlocked.Increment(ref *Next) - 1) < numTasks)
            {
                while (task >= FirstTask[sequence + 1])
                {
                    sequence++;
                }

                Run(sequence, task - FirstTask[sequence], scratch);
            }
        }

        private readonly void Run(int sequence, int task, float* free)
        {
            int chunks = Split ? ContextChunks.Count(Batch.ContextLens[sequence]) : 1;
            (int group, int chunk) = Math.DivRem(task, chunks);
            (int block, int unit) = Math.DivRem(group, Shape.NumKvHeads * Shape.HeadBlocks);
            (int kvHead, int headBlock) = Math.DivRem(unit, Shape.HeadBlocks);

            // The last tokens see the most: their blocks go first, so that no long task is left for the end.
            int firstRow = Batch.CuSeqLens[sequence];
            int endRow = Batch.CuSeqLens[sequence + 1];
            int numBlocks = (endRow - firstRow + Shape.TokensPerTask - 1) / Shape.TokensPerTask;
            int t0 = firstRow + ((numBlocks - 1 - block) * Shape.TokensPerTask);
            int t1 = Math.Min(t0 + Shape.TokensPerTask, endRow);
            int h0 = (kvHead * Shape.Group) + (headBlock * Shape.HeadsPerTask);
            int h1 = Math.Min(h0 + Shape.HeadsPerTask, (kvHead + 1) * Shape.Group);

            var softmax = new OnlineSoftmax<TLanes, TV>((t1 - t0) * (h1 - h0), Shape.KeyDim, Shape.ValueDim, ref free);
            int row = 0;
            for (int t = t0; t < t1; t++)
            {
                for (int h = h0; h < h1; h++)
                {
                    softmax.SetRow(row++, Q.Row(t) + (h * Shape.KeyDim), Scale, Batch.Positions[t] + 1);
                }
            }

            softmax.EndRows();
            int seenByAll = Batch.Positions[t0] + 1;
            int seen = Batch.Positions[t1 - 1] + 1;
            int chunkKeys = ContextChunks.Keys(Batch.ContextLens[sequence]);
            float* state;
            if (Split)
            {
                float* states = States + ((FirstTask[sequence] + task - chunk) * StateFloats);
                softmax.Begin(states + (chunk * StateFloats));
                AttendChunk(softmax, sequence, kvHead, chunk * chunkKeys, Math.Min((chunk + 1) * chunkKeys, seen), seenByAll, free);
                if (Interlocked.Increment(ref ChunksDone[FirstTask[sequence] + task - chunk]) < chunks)
                {
                    return;
                }

                for (int c = 1; c * chunkKeys < seen; c++)
                {
                    softmax.Merge(states + (c * StateFloats), states);
                }

                state = states;
            }
            else
            {
                state = Tile.Take(ref free, StateFloats);
                float* next = Tile.Take(ref free, StateFloats);
                for (int from = 0; from < seen; from += chunkKeys)
                {
                    softmax.Begin(from == 0 ? state : next);
                    AttendChunk(softmax, sequence, kvHead, from, Math.Min(from + chunkKeys, seen), seenByAll, free);
                    if (from > 0)
                    {
                        softmax.Merge(next, state);
                    }
                }
            }

            row = 0;
            for (int t = t0; t < t1; t++)
            {
                for (int h = h0; h < h1; h++)
                {
                    softmax.Finish(state, row++, O.Row(t) + (h * Shape.ValueDim), Shape.ValueDim);
                }
            }
        }

        private readonly void AttendChunk(
            in OnlineSoftmax<TLanes, TV> softmax, int sequence, int kvHead, int from, int end, int seenByAll, float* free)
        {
            int keyStride = Tile.Stride(Shape.KeyDim);
            int valueStride = Shape.ValueIsKeyFront ? keyStride : Tile.Stride(Shape.ValueDim);
            float* keys = Tile.Take(ref free, OnlineSoftmax<TLanes, TV>.BlockKeys * keyStride);
            float* values = Shape.ValueIsKeyFront ? keys : Tile.Take(ref free, OnlineSoftmax<TLanes, TV>.BlockKeys * valueStride);
            for (int first = from; first < end; first += OnlineSoftmax<TLanes, TV>.BlockKeys)
            {
                int count = Math.Min(OnlineSoftmax<TLanes, TV>.BlockKeys, end - first);
                PageReader<TLanes, TV>.Gather(
                    Batch, Pages, sequence, first, count, end, kvHead * Shape.KeyDim, Shape.KeyDim, keys, keyStride);
                if (!Shape.ValueIsKeyFront)
                {
                    PageReader<TLanes, TV>.Gather(
                        Batch, Pages, sequence, first, count, end, Shape.FirstValueColumn + (kvHead * Shape.ValueDim), Shape.ValueDim, values, valueStride);
                }

                softmax.Attend(keys, keyStride, values, valueStride, first, count, first + count > seenByAll);
            }
        }
    }
}
