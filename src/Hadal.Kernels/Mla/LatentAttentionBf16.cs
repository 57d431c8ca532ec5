using Hadal.Jit;
using Hadal.Kernels.Attention;
using Hadal.Kernels.Paging;
using Hadal.Kernels.Vectors;
using Hadal.Numerics;

namespace Hadal.Kernels.Mla;

/// <summary><see cref="MlaLatentAttention"/> over bf16 pages by an emitted kernel.</summary>
/// <remarks>
/// Rounded: queries and probabilities to bf16; latents are bf16 in the pages. Sums are f32.
/// A task is 16 rows (a row is a head of a token) times a context, or a chunk of it where there are few rows: then chunks are shared out and their states
/// merged. Chunks and the order of merging depend on the context's length alone, so who else is in the batch and how many workers there are changes no bit.
/// Allocates nothing once scratch has grown.
/// </remarks>
public static unsafe class LatentAttentionBf16
{
    /// <summary>Keys of one call of the kernel: their rows stay in the second-level cache from the scores to the values.</summary>
    private const int BlockKeys = 64;

    /// <param name="pool">Workers.</param>
    /// <param name="kernel">Made for the shape.</param>
    /// <param name="qLatent">[T, H·(C+R)].</param>
    /// <param name="batch">The step.</param>
    /// <param name="pages">[.., C+R] bf16.</param>
    /// <param name="scale">Of the scores.</param>
    /// <param name="oLatent">[T, H·C].</param>
    public static void Forward(WorkerPool pool, LatentKernel kernel, MatrixF32 qLatent, in PagedBatch batch, KvPages pages, float scale, MatrixF32 oLatent)
    {
        MlaShape shape = kernel.Shape;
        PagedBatchCheck.ThrowIfInvalid(batch, pages);
        ArgumentOutOfRangeException.ThrowIfNotEqual((int)pages.DType, (int)DType.Bf16, nameof(pages));
        ArgumentOutOfRangeException.ThrowIfNotEqual(pages.Width, shape.CacheWidth, nameof(pages));
        ArgumentOutOfRangeException.ThrowIfNotEqual(qLatent.Rows, batch.NumTokens, nameof(qLatent));
        ArgumentOutOfRangeException.ThrowIfNotEqual(oLatent.Rows, batch.NumTokens, nameof(oLatent));
        ArgumentOutOfRangeException.ThrowIfNotEqual(qLatent.Columns, shape.NumHeads * shape.CacheWidth, nameof(qLatent));
        ArgumentOutOfRangeException.ThrowIfNotEqual(oLatent.Columns, shape.NumHeads * shape.KvLoraRank, nameof(oLatent));
        int groups = 0;
        int chunks = 0;
        for (int b = 0; b < batch.NumSequences; b++)
        {
            int here = NumGroups(batch, b, shape.NumHeads);
            groups += here;
            chunks += here * ContextChunks.Count(batch.ContextLens[b]);
        }

        if (groups == 0)
        {
            return;
        }

        // Few groups: their chunks are shared out and merged afterwards. Many: whoever has a group walks its chunks.
        bool split = groups < 4 * pool.NumWorkers && chunks > groups;
        int tasks = split ? chunks : groups;
        int stateFloats = LatentArgs.StateFloats(shape.KvLoraRank);
        float* free = Scratch.Call(Tile.Pad(batch.NumSequences + 1) + (split ? (nint)tasks * stateFloats : 0));
        int* firstTask = (int*)Tile.Take(ref free, batch.NumSequences + 1);
        int task = 0;
        for (int b = 0; b < batch.NumSequences; b++)
        {
            firstTask[b] = task;
            task += NumGroups(batch, b, shape.NumHeads) * (split ? ContextChunks.Count(batch.ContextLens[b]) : 1);
        }

        firstTask[batch.NumSequences] = task;
        var work = new LatentAttentionWork
        {
            Kernel = kernel.Entry,
            Q = qLatent,
            O = oLatent,
            Batch = batch,
            Pages = pages,
            Shape = shape,
            // 2^x is what the kernel computes.
            Scale = scale * 1.44269504f,
            BlockKeys = BlockKeys,
            FirstTask = firstTask,
            States = split ? free : null,
            Split = pool.Split(tasks),
        };
        pool.Run(ref work);
        if (split)
        {
            var merge = new LatentMergeWork { Attention = work };
            pool.Run(ref merge);
        }
    }

    /// <summary>Groups of 16 rows of one sequence.</summary>
    internal static int NumGroups(in PagedBatch batch, int sequence, int numHeads)
        => (((batch.CuSeqLens[sequence + 1] - batch.CuSeqLens[sequence]) * numHeads) + LatentArgs.Rows - 1) / LatentArgs.Rows;
}
