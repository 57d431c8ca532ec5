namespace Hadal.Kernels.MatMul;

/// <summary>How a matmul of few rows is cut: chosen from shapes alone.</summary>
internal static class SkinnyPlan
{
    /// <summary>Rows up to which weights stream past the tokens instead of meeting them in panels.</summary>
    public const int StreamTokens = 16;

    /// <summary>Rows up to which panels are taken where there is a choice.</summary>
    public const int PanelTokens = 64;

    private const int PanelRows = 128;

    // Panels that keep memory busy: two on each multiprocessor of a large card.
    private const int PanelTarget = 264;

    // Slabs a range of K should have at least.
    private const int LeastSlabs = 4;

    /// <summary>Rows of a tile so that whole rounds of tiles keep every block equally busy.</summary>
    public static int TileRows(int outputs, bool gateUp, int blocks)
    {
        int most = gateUp ? 16 : 32;
        int rounds = Ceil(outputs, blocks * most);
        return Math.Max(1, Ceil(outputs, blocks * rounds));
    }

    /// <summary>Warps of a stream's block: as many as have room for their rings, up to 8, or a few less where the slabs of K share out more evenly then.</summary>
    public static int Warps(int slabs, int stages, int slotBytes, int tokenRows, int tableBytes, int sharedBytes)
    {
        int most = 8;
        while (most > 1 && StreamBytes(most, stages, slotBytes, tokenRows, tableBytes) > sharedBytes)
        {
            most--;
        }

        int best = most;
        for (int warps = most - 1; warps >= (most + 1) / 2; warps--)
        {
            // What whole rounds of warps have room for, over the slabs there are: fewer warps only where that wins a twelfth.
            if ((long)best * Ceil(slabs, best) * 11 > (long)warps * Ceil(slabs, warps) * 12)
            {
                best = warps;
            }
        }

        return best;
    }

    public static int StreamBytes(int warps, int stages, int slotBytes, int tokenRows, int tableBytes)
        => (warps * ((stages * slotBytes) + (2 * tokenRows * 36 * sizeof(float)))) + tableBytes;

    public static (int Tiles, int TokenTiles, int Splits) Panels(int rows, int outputs, bool gateUp, int slabs, int panelTokens)
    {
        int tiles = Ceil(outputs, gateUp ? PanelRows / 2 : PanelRows);
        int tokenTiles = Ceil(rows, panelTokens);
        int splits = Math.Clamp((int)Math.Round((double)PanelTarget / ((long)tiles * tokenTiles)), 1, Math.Max(1, slabs / LeastSlabs));
        return (tiles, tokenTiles, splits);
    }

    /// <summary>Bytes of the ranges' sums.</summary>
    public static long PanelBytes((int Tiles, int TokenTiles, int Splits) panels, int panelTokens)
        => panels.Splits == 1 ? 0 : (long)panels.Tiles * panels.TokenTiles * panels.Splits * PanelRows * panelTokens * sizeof(float);

    public static int Ceil(int a, int b) => (int)(((long)a + b - 1) / b);
}
