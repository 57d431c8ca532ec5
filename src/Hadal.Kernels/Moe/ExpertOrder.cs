namespace Hadal.Kernels.Moe;

/// <summary>Where the pairs (token, slot) of a step lie in order of expert: addresses on the card, all int32, P = T · top_k pairs.</summary>
/// <param name="SortedPairs">[P]: pair token · top_k + slot, in order of expert, then of pair.</param>
/// <param name="Positions">[P]: where a pair lies among the sorted; -1 for one of a padded token.</param>
/// <param name="Offsets">[E + 1]: first sorted pair of each expert; the last is the number of pairs that take part.</param>
/// <param name="Tiles">[MaxTiles, 2]: expert and first row of each tile of <paramref name="TileRows"/> rows; expert -1 past the last. 0 for no tiles.</param>
/// <param name="NumTiles">[1].</param>
/// <param name="TileRows">Rows of a tile of the grouped matmul; 0 for no tiles.</param>
/// <param name="Workspace">Of <see cref="TopKRouterCuda.WorkspaceBytes"/>; 0 where that is 0.</param>
public readonly record struct ExpertOrder(nint SortedPairs, nint Positions, nint Offsets, nint Tiles, nint NumTiles, int TileRows, nint Workspace)
{
    /// <summary>Most tiles that P pairs of E experts can give.</summary>
    public static int MaxTiles(int numPairs, int numExperts, int tileRows) => (numPairs / tileRows) + Math.Min(numExperts, numPairs);
}
