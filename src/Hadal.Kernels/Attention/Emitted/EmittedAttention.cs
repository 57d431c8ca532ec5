using Hadal.Jit;
using Hadal.Kernels.Mla;
using Hadal.Kernels.Paging;
using Hadal.Kernels.Vectors;
using Hadal.Numerics;

namespace Hadal.Kernels.Attention.Emitted;

/// <summary>Causal attention over bf16 pages by an emitted kernel: grouped queries as <see cref="PagedAttention"/>, or latent as <see cref="MlaLatentAttention"/>.</summary>
/// <remarks>
/// Rounded: queries and probabilities to bf16; keys and values are bf16 in the pages. Sums are f32.
/// A task is 16 rows (a row is a head of a token; the heads share their keys) times a context, or a chunk of it where there are few rows: then chunks are
/// shared out and their states merged. Chunks and the order of merging depend on the context's length alone, so who else is in the batch and how many
/// workers there are changes no bit. Allocates nothing once scratch has grown.
/// </remarks>
public static unsafe class EmittedAttention
{
    /// <summary>Keys of one call of the kernel: their rows stay in the second-level cache from the scores to the values.</summary>
    private const int BlockKeys = 64;

    /// <param name="pool">Workers.</param>
    /// <param name="kernel">Made for the shape.</param>
    /// <param name="q">[T, H·K].</param>
    /// <param name="batch">The step.</param>
    /// <param name="pages">bf16, as the shape says.</param>
    /// <param name="scale">Of the scores.</param>
    /// <param name="o">[T, H·V]; not q.</param>
    public static void Forward(WorkerPool pool, AttentionKernel kernel, MatrixF32 q, in PagedBatch batch, KvPages pages, float scale, MatrixF32 o)
    {
        AttentionKernelShape shape = kernel.Shape;
        PagedBatchCheck.ThrowIfInvalid(batch, pages);
        ArgumentOutOfRangeException.ThrowIfNotEqual((int)pages.DType, (int)DType.Bf16, nameof(pages));
        ArgumentOutOfRangeException.ThrowIfNotEqual(pages.Width, shape.RowWidth, nameof(pages));
        ArgumentOutOfRangeException.ThrowIfNotEqual(q.Rows, batch.NumTokens, nameof(q));
        ArgumentOutOfRangeException.ThrowIfNotEqual(o.Rows, batch.NumTokens, nameof(o));
        ArgumentOutOfRangeException.ThrowIfNotEqual(q.Columns, shape.NumHeads * shape.KeyDim, nameof(q));
        ArgumentOutOfRangeException.ThrowIfNotEqual(o.Columns, shape.NumHeads * shape.ValueDim, nameof(o));
        int groups = 0;
        int chunks = 0;
        for (int b = 0; b < batch.NumSequences; b++)
        {
            int here = NumGroups(batch, b, shape);
            groups += here;
            chunks += here * ContextChunks.Count(batch.ContextLens[b]);
        }

        if (groups == 0)
        {
            return;
        }

        // Few groups: their chunks are shared out and merged afterwards. Many: whoever has a group walks its chunks.
        bool split = groups < 2 * pool.NumWorkers && chunks > groups;
        int tasks = split ? chunks : groups;
        int stateFloats = AttentionArgs.StateFloats(shape.ValueDim);
        float* free = Scratch.Call(Tile.Pad(batch.NumSequences + 1) + (split ? (nint)tasks * stateFloats : 0));
        int* firstTask = (int*)Tile.Take(ref free, batch.NumSequences + 1);
        int task = 0;
        for (int b = 0; b < batch.NumSequences; b++)
        {
            firstTask[b] = task;
            task += NumGroups(batch, b, shape) * (split ? ContextChunks.Count(batch.ContextLens[b]) : 1);
        }

        firstTask[batch.NumSequences] = task;
        var work = new EmittedAttentionWork
        {
            Kernel = kernel.Entry,
            Q = q,
            O = o,
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
            var merge = new EmittedAttentionMerge { Attention = work };
            pool.Run(ref merge);
        }
    }

    /// <summary>Groups of 16 rows of one sequence, over all heads of keys.</summary>
    internal static int NumGroups(in PagedBatch batch, int sequence, AttentionKernelShape shape) => shape.NumKvHeads * GroupsPerKvHead(batch, sequence, shape);

    internal static int GroupsPerKvHead(in PagedBatch batch, int sequence, AttentionKernelShape shape)
        => (((batch.CuSeqLens[sequence + 1] - batch.CuSeqLens[sequence]) * shape.Group) + AttentionArgs.Rows - 1) / AttentionArgs.Rows;
}
