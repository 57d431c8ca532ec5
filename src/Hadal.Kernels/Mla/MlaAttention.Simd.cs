using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hadal.Jit;
using Hadal.Kernels.Attention;
using Hadal.Kernels.Paging;
using Hadal.Kernels.Vectors;
using Hadal.Kernels.Weights;

namespace Hadal.Kernels.Mla;

/// <remarks>
/// A task is one head of one sequence: it transposes the head's weights once, then expands the context block by block and lets
/// all query blocks of the chunk attend to each expanded block before the next.
/// An expanded row is [k_nope, padded | k_rope, padded | v, padded]; a query is laid out as the first two.
/// </remarks>
public static unsafe partial class MlaAttention
{
    private const int BlockTokens = 128;

    private const float Log2E = 1.44269504f;

    private static void Dispatch(WorkerPool pool, MatrixF32 q, in PagedBatch batch, KvPages pages, in WeightMatrix kvB, MlaShape shape, float scale, MatrixF32 o)
    {
        if (Lanes512.IsSupported)
        {
            Run<Lanes512, Vector512<float>>(pool, q, batch, pages, kvB, shape, scale, o);
        }
        else if (Lanes256.IsSupported)
        {
            Run<Lanes256, Vector256<float>>(pool, q, batch, pages, kvB, shape, scale, o);
        }
        else
        {
            Run<Lanes128, Vector128<float>>(pool, q, batch, pages, kvB, shape, scale, o);
        }
    }

    private static void Run<TLanes, TV>(
        WorkerPool pool, MatrixF32 q, in PagedBatch batch, KvPages pages, in WeightMatrix kvB, MlaShape shape, float scale, MatrixF32 o)
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        if (batch.NumTokens == 0)
        {
            return;
        }

        int maxRows = 0;
        for (int b = 0; b < batch.NumSequences; b++)
        {
            maxRows = Math.Max(maxRows, batch.CuSeqLens[b + 1] - batch.CuSeqLens[b]);
        }

        // Fewer heads than workers: a chunk's query blocks are dealt out too, at the price of expanding the context again.
        int numBlocks = (maxRows + BlockTokens - 1) / BlockTokens;
        int segments = Math.Clamp(pool.NumWorkers / (shape.NumHeads * batch.NumSequences), 1, numBlocks);
        float* free = Scratch.Call(Tile.Lanes);
        var work = new Work<TLanes, TV>
        {
            Q = q,
            Batch = batch,
            Pages = pages,
            KvB = kvB,
            Shape = shape,
            Scale = scale * Log2E,
            O = o,
            Segments = segments,
            BlocksPerSegment = (numBlocks + segments - 1) / segments,
            Next = (int*)free,
        };
        *work.Next = 0;
        pool.Run(ref work, shape.NumHeads * batch.NumSequences * segments);
    }

    private struct Work<TLanes, TV> : IWork
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        private const int BlockKeys = OnlineSoftmax<TLanes, TV>.BlockKeys;

        public MatrixF32 Q;
        public PagedBatch Batch;
        public KvPages Pages;
        public WeightMatrix KvB;
        public MlaShape Shape;
        public float Scale;
        public MatrixF32 O;
        public int Segments;
        public int BlocksPerSegment;
        public int* Next;

        private readonly int PaddedNope => Tile.Pad(Shape.QkNopeHeadDim);

        private readonly int PaddedRope => Tile.Pad(Shape.QkRopeHeadDim);

        private readonly int PaddedValue => Tile.Pad(Shape.VHeadDim);

        private readonly int KeyDim => PaddedNope + Shape.QkRopeHeadDim;

        private readonly int WeightStride => Tile.Stride(PaddedNope + PaddedValue);

        private readonly int ExpandedStride => Tile.Stride(PaddedNope + PaddedRope + PaddedValue);

        private readonly nint BlockFloats => OnlineSoftmax<TLanes, TV>.Floats(BlockTokens, KeyDim) + OnlineSoftmax<TLanes, TV>.StateFloats(BlockTokens, Shape.VHeadDim) + (2 * Tile.Lanes);

        public readonly void Run(int worker, int numWorkers)
        {
            int c = Shape.KvLoraRank;
            nint weightFloats = (nint)c * WeightStride;
            nint tileFloats = (nint)BlockKeys * (Tile.Stride(Shape.CacheWidth) + ExpandedStride);
            nint rowFloats = Math.Max(c, ExpandedStride);
            float* free = Scratch.Worker(weightFloats + tileFloats + rowFloats + (BlocksPerSegment * BlockFloats) + (8 * Tile.Lanes));
            float* weights = Tile.Take(ref free, weightFloats);
            float* tiles = Tile.Take(ref free, tileFloats);
            float* row = Tile.Take(ref free, rowFloats);
            int numTasks = Shape.NumHeads * Batch.NumSequences * Segments;
            int packedHead = -1;
            int task;
            while ((task = Interlocked.Increment(ref *Next) - 1) < numTasks)
            {
                (int h, int rest) = Math.DivRem(task, Batch.NumSequences * Segments);
                (int sequence, int segment) = Math.DivRem(rest, Segments);
                int t0 = Batch.CuSeqLens[sequence] + (segment * BlocksPerSegment * BlockTokens);
                int t1 = Math.Min(t0 + (BlocksPerSegment * BlockTokens), Batch.CuSeqLens[sequence + 1]);
                if (t0 >= t1)
                {
                    continue;
                }

                if (packedHead != h)
                {
                    PackWeights(h, weights, row);
                    packedHead = h;
                }

                Run(sequence, h, t0, t1, weights, tiles, row, free);
            }
        }

        /// <summary>weights[i, n] = W_UK[h][n, i], then W_UV[h] behind it: lanes run over the expanded columns.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private readonly void PackWeights(int h, float* weights, float* decoded)
        {
            int c = Shape.KvLoraRank;
            int dn = Shape.QkNopeHeadDim;
            int rows = dn + Shape.VHeadDim;
            int stride = WeightStride;
            new Span<float>(weights, c * stride).Clear();

            // Sixteen rows in turn fill the same cache lines, one a column of the latent; those stay in L1.
            for (int n = 0; n < rows; n++)
            {
                WeightDecoder.DecodeRow(KvB, (h * rows) + n, 0, c, decoded);
                float* to = weights + (n < dn ? n : n - dn + PaddedNope);
                for (int i = 0; i < c; i++)
                {
                    to[(nint)i * stride] = decoded[i];
                }
            }
        }

        private readonly void Run(int sequence, int h, int t0, int t1, float* weights, float* tiles, float* row, float* free)
        {
            int latentStride = Tile.Stride(Shape.CacheWidth);
            int stride = ExpandedStride;
            float* latents = tiles;
            float* expanded = latents + (BlockKeys * latentStride);
            int numBlocks = (t1 - t0 + BlockTokens - 1) / BlockTokens;
            for (int block = 0; block < numBlocks; block++)
            {
                OnlineSoftmax<TLanes, TV> softmax = Block(block, t0, t1, free, out float* state);
                PackQueries(softmax, h, t0 + (block * BlockTokens), Math.Min(t0 + ((block + 1) * BlockTokens), t1), row);
                softmax.Begin(state);
            }

            int end = Batch.Positions[t1 - 1] + 1;
            for (int first = 0; first < end; first += BlockKeys)
            {
                int count = Math.Min(BlockKeys, end - first);
                PageReader<TLanes, TV>.Gather(Batch, Pages, sequence, first, count, end, 0, Shape.CacheWidth, latents, latentStride);
                OuterProduct<TLanes, TV>.Multiply(
                    count, PaddedNope, Shape.KvLoraRank, latents, latentStride, 1, weights, WeightStride, expanded, stride, accumulate: false);
                OuterProduct<TLanes, TV>.Multiply(
                    count, PaddedValue, Shape.KvLoraRank, latents, latentStride, 1, weights + PaddedNope, WeightStride,
                    expanded + PaddedNope + PaddedRope, stride, accumulate: false);
                for (int s = 0; s < count; s++)
                {
                    float* key = expanded + (s * stride) + PaddedNope;
                    new ReadOnlySpan<float>(latents + (s * latentStride) + Shape.KvLoraRank, Shape.QkRopeHeadDim).CopyTo(new Span<float>(key, Shape.QkRopeHeadDim));
                    new Span<float>(key + Shape.QkRopeHeadDim, PaddedRope - Shape.QkRopeHeadDim).Clear();
                }

                for (int block = 0; block < numBlocks; block++)
                {
                    int firstToken = t0 + (block * BlockTokens);
                    int lastToken = Math.Min(firstToken + BlockTokens, t1) - 1;
                    int seen = Math.Min(count, Batch.Positions[lastToken] + 1 - first);
                    if (seen > 0)
                    {
                        OnlineSoftmax<TLanes, TV> softmax = Block(block, t0, t1, free, out float* state);
                        softmax.Resume(state);
                        softmax.Attend(
                            expanded, stride, expanded + PaddedNope + PaddedRope, stride, first, seen, first + seen > Batch.Positions[firstToken] + 1);
                    }
                }
            }

            for (int block = 0; block < numBlocks; block++)
            {
                OnlineSoftmax<TLanes, TV> softmax = Block(block, t0, t1, free, out float* state);
                int firstToken = t0 + (block * BlockTokens);
                for (int t = firstToken; t < Math.Min(firstToken + BlockTokens, t1); t++)
                {
                    softmax.Finish(state, t - firstToken, O.Row(t) + (h * Shape.VHeadDim), Shape.VHeadDim);
                }
            }
        }

        /// <summary>The tiles of one query block: the same ones for the same number.</summary>
        private readonly OnlineSoftmax<TLanes, TV> Block(int block, int t0, int t1, float* free, out float* state)
        {
            int rows = Math.Min(BlockTokens, t1 - t0 - (block * BlockTokens));
            free += block * BlockFloats / Tile.Lanes * Tile.Lanes;
            state = Tile.Take(ref free, OnlineSoftmax<TLanes, TV>.StateFloats(BlockTokens, Shape.VHeadDim));
            return new OnlineSoftmax<TLanes, TV>(rows, KeyDim, Shape.VHeadDim, ref free);
        }

        private readonly void PackQueries(in OnlineSoftmax<TLanes, TV> softmax, int h, int from, int to, float* row)
        {
            new Span<float>(row, KeyDim).Clear();
            for (int t = from; t < to; t++)
            {
                float* q = Q.Row(t) + (h * Shape.QkHeadDim);
                new ReadOnlySpan<float>(q, Shape.QkNopeHeadDim).CopyTo(new Span<float>(row, Shape.QkNopeHeadDim));
                new ReadOnlySpan<float>(q + Shape.QkNopeHeadDim, Shape.QkRopeHeadDim).CopyTo(new Span<float>(row + PaddedNope, Shape.QkRopeHeadDim));
                softmax.SetRow(t - from, row, Scale, Batch.Positions[t] + 1);
            }

            softmax.EndRows();
        }
    }
}
