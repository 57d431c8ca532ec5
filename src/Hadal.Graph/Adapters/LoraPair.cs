using Hadal.Numerics;

namespace Hadal.Graph.Adapters;

/// <summary>A low-rank change of one matrix: W [N, K] becomes W + Scale · B · A. Read while compiling only.</summary>
/// <param name="A">[r, K], in F32, F16 or BF16.</param>
/// <param name="B">[N, r], likewise.</param>
/// <param name="Scale">The factor on their product.</param>
/// <param name="RowOrder">Row n of the matrix has row RowOrder[n] of B; null where they agree.</param>
public sealed record LoraPair(StoredTensor A, StoredTensor B, double Scale, int[]? RowOrder = null);
