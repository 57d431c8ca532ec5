using Hadal.Kernels.MatMul;
using Hadal.Kernels.Moe;

namespace Hadal.Graph.Cuda;

/// <summary>Where the order of a step's tokens by expert lies: the router leaves it, the experts of the same layer read it.</summary>
internal static class ExpertPlan
{
    /// <summary>Rows of the tiles that large grouped matmuls work in.</summary>
    private const int TileRows = MatMulLargeCuda.TileRows;

    public static long Bytes(int numTokens, in RouterConfig config)
    {
        long at = 0;
        Place(0, numTokens, config, ref at);
        return at;
    }

    public static ExpertOrder Order(nint memory, int numTokens, in RouterConfig config)
    {
        long at = 0;
        return Place(memory, numTokens, config, ref at);
    }

    private static ExpertOrder Place(nint memory, int numTokens, in RouterConfig config, ref long at)
    {
        int pairs = checked(numTokens * config.TopK);
        nint sorted = Take(pairs, ref at);
        nint positions = Take(pairs, ref at);
        nint offsets = Take(config.NumExperts + 1, ref at);
        nint tiles = Take(2 * ExpertOrder.MaxTiles(pairs, config.NumExperts, TileRows), ref at);
        nint count = Take(1, ref at);
        nint workspace = Take((int)(TopKRouterCuda.WorkspaceBytes(numTokens, config) / sizeof(int)), ref at);
        return new ExpertOrder(sorted, positions, offsets, tiles, count, TileRows, workspace);

        nint Take(int count, ref long at)
        {
            nint here = memory + (nint)at;
            at += ((count * (long)sizeof(int)) + 255) / 256 * 256;
            return here;
        }
    }
}
