namespace Hadal.Kernels.Paging;

/// <summary>
/// Which tokens one step computes and where their keys and values lie: T tokens of B sequences, concatenated sequence by sequence.
/// All pointers are borrowed for the step.
/// </summary>
/// <remarks>
/// Sequence b's new tokens are rows CuSeqLens[b] … CuSeqLens[b+1]-1; they are the last ones of its ContextLens[b] tokens.
/// The token at position p of sequence b lies in slot BlockTables[b, p / BlockSize] * BlockSize + p % BlockSize.
/// Prefill, chunked prefill and decode differ only in how many rows a sequence has.
/// </remarks>
public readonly unsafe struct PagedBatch
{
    public required int NumTokens { get; init; }

    public required int NumSequences { get; init; }

    /// <summary>[B + 1]</summary>
    public required int* CuSeqLens { get; init; }

    /// <summary>[B]: tokens of the sequence after this step, cached ones included.</summary>
    public required int* ContextLens { get; init; }

    /// <summary>[B, MaxBlocksPerSequence]</summary>
    public required int* BlockTables { get; init; }

    public required int MaxBlocksPerSequence { get; init; }

    public required int BlockSize { get; init; }

    /// <summary>[T]: position of each token in its sequence.</summary>
    public required int* Positions { get; init; }

    /// <summary>[T]: slot each token's keys and values are written to.</summary>
    public required long* SlotMapping { get; init; }
}
