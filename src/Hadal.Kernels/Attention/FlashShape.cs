namespace Hadal.Kernels.Attention;

/// <summary>Where queries, keys and values of a paged attention lie. Grouped-query and latent attention differ in nothing else.</summary>
/// <param name="NumHeads">Query heads.</param>
/// <param name="NumKvHeads">Key and value heads; 1 for latent attention.</param>
/// <param name="KeyDim">Columns of a query and of a key; the key of KV head j starts at column j · KeyDim of a page row.</param>
/// <param name="ValueDim">Columns of a value.</param>
/// <param name="FirstValueColumn">The value of KV head j starts at this + j · ValueDim; 0 with one KV head means: the value is the key's front part.</param>
/// <param name="MaxRows">Query rows of one task at the most: tokens times heads that share keys.</param>
internal readonly record struct FlashShape(int NumHeads, int NumKvHeads, int KeyDim, int ValueDim, int FirstValueColumn, int MaxRows)
{
    public int Group => NumHeads / NumKvHeads;

    public bool ValueIsKeyFront => FirstValueColumn == 0;

    /// <summary>Heads of one KV head that a task takes.</summary>
    public int HeadsPerTask => Math.Min(Group, MaxRows);

    public int HeadBlocks => (Group + HeadsPerTask - 1) / HeadsPerTask;

    public int TokensPerTask => Math.Max(1, MaxRows / Group);
}
