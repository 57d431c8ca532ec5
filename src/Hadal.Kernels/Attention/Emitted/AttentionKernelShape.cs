using Hadal.Kernels.Mla;

namespace Hadal.Kernels.Attention.Emitted;

/// <summary>What an emitted attention kernel is made for: heads, and where keys and values lie in a page row.</summary>
/// <param name="NumHeads">H, of queries.</param>
/// <param name="NumKvHeads">Heads of keys; H is a multiple.</param>
/// <param name="KeyDim">Columns of a key; head g's begin at column g·KeyDim.</param>
/// <param name="ValueDim">Columns of a value.</param>
/// <param name="ValueColumn">Columns from the beginning of a head's key to that of its value.</param>
/// <param name="RowWidth">Columns of a page row.</param>
public readonly record struct AttentionKernelShape(int NumHeads, int NumKvHeads, int KeyDim, int ValueDim, int ValueColumn, int RowWidth)
{
    /// <summary>Query heads that share a key.</summary>
    public int Group => NumHeads / NumKvHeads;

    /// <summary>Keys of all heads, then values of all heads.</summary>
    public static AttentionKernelShape GroupedQuery(int numHeads, int numKvHeads, int headDim)
        => new(numHeads, numKvHeads, headDim, headDim, numKvHeads * headDim, 2 * numKvHeads * headDim);

    /// <summary>One key for all heads, whose front is the value.</summary>
    public static AttentionKernelShape Latent(MlaShape shape) => new(shape.NumHeads, 1, shape.CacheWidth, shape.KvLoraRank, 0, shape.CacheWidth);
}
