using Hadal.Numerics;

namespace Hadal.Kernels.Paging;

/// <summary>The boundary check of every kernel that walks pages: what it lets through stays inside the block tables.</summary>
internal static unsafe class PagedBatchCheck
{
    /// <remarks>Block ids are the allocator's and cannot be judged here, since pages do not know their number; only that none is negative.</remarks>
    public static void ThrowIfInvalid(in PagedBatch batch, KvPages pages)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(batch.BlockSize, nameof(batch));
        ThrowIfTypeUnknown(pages);
        if (batch.NumSequences < 0 || batch.CuSeqLens[0] != 0 || batch.CuSeqLens[batch.NumSequences] != batch.NumTokens)
        {
            throw new ArgumentException($"CuSeqLens ends at {batch.CuSeqLens[batch.NumSequences]}, the step has {batch.NumTokens} tokens", nameof(batch));
        }

        for (int b = 0; b < batch.NumSequences; b++)
        {
            int context = batch.ContextLens[b];
            int rows = batch.CuSeqLens[b + 1] - batch.CuSeqLens[b];
            if (rows < 0 || context < rows || context > (long)batch.MaxBlocksPerSequence * batch.BlockSize)
            {
                throw new ArgumentException(
                    $"sequence {b}: {rows} rows, context {context}, block table of {batch.MaxBlocksPerSequence} × {batch.BlockSize}", nameof(batch));
            }

            int previous = -1;
            for (int t = batch.CuSeqLens[b]; t < batch.CuSeqLens[b + 1]; t++)
            {
                int position = batch.Positions[t];
                if (position <= previous || position >= context)
                {
                    throw new ArgumentException($"sequence {b}: row {t} has position {position} after {previous}, context {context}", nameof(batch));
                }

                previous = position;
            }

            int* table = batch.BlockTables + ((nint)b * batch.MaxBlocksPerSequence);
            for (int i = 0; i < (context + batch.BlockSize - 1) / batch.BlockSize; i++)
            {
                ArgumentOutOfRangeException.ThrowIfNegative(table[i], nameof(batch));
            }
        }
    }
    public static void ThrowIfSlotsInvalid(in PagedBatch batch, KvPages pages)
    {
        ThrowIfTypeUnknown(pages);
        for (int t = 0; t < batch.NumTokens; t++)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(batch.SlotMapping[t], nameof(batch));
        }
    }

    private static void ThrowIfTypeUnknown(KvPages pages)
    {
        if (pages.DType is not (DType.F32 or DType.Bf16))
        {
            throw new ArgumentException($"pages of {pages.DType}; kernels read and write F32 and Bf16", nameof(pages));
        }
    }
}
