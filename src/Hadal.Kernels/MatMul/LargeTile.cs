namespace Hadal.Kernels.MatMul;

/// <summary>How a matmul of many rows is cut on Hopper: tiles of 128 rows x Width columns of W, which blocks of one multiprocessor each walk over.</summary>
/// <param name="Width">Rows of W in a tile; for gate-up half of them gate and half up.</param>
/// <param name="Split">Blocks (a cluster) that share a tile, each with a part of K; 1: none do.</param>
/// <param name="Group">Row tiles walked before the next columns.</param>
/// <param name="Grid">Blocks.</param>
public readonly record struct LargeTile(int Width, int Split, int Group, int Grid)
{
    /// <summary>Rows of a tile.</summary>
    public const int Rows = 128;

    /// <summary>Bytes of a row of x or W in a stage.</summary>
    public const int StageBytes = 128;

    // Costs are in what one column of a tile costs in one stage, some 4 cycles. A tile's start and end: filling the ring; writing out, by columns.
    private const int TileStart = 300;
    private const int TileEnd = 2;

    // Parts of a tile go through shared memory twice, wait for each other, and start as clusters.
    private const int SplitStart = 2800;
    private const int SplitEnd = 4;

    private const int DenseGroup = 16;

    // Row tiles by expert walked before the next columns: their rows of x and the weights of their few experts stay in L2.
    private const int ExpertGroup = 8;

    private static readonly int[] _splits = [2, 4];

    /// <summary>Stages that fit into shared memory.</summary>
    public int Stages => Math.Min(8, (232448 - 2048) / RingBytes);

    /// <summary>Dynamic shared memory: the ring, its barriers, and room to align it to 1,024 bytes.</summary>
    public int SharedBytes => (Stages * RingBytes) + 2048;

    private int RingBytes => (Rows + Width) * StageBytes;

    /// <summary>The cut that leaves the multiprocessors the least to do, counted in whole rounds of tiles.</summary>
    /// <param name="m">Rows of x.</param>
    /// <param name="n">Rows of W.</param>
    /// <param name="rowBytes">Bytes of a row of W in use.</param>
    /// <param name="gateUp">The tile's columns are halved over gate and up.</param>
    /// <param name="multiprocessors">Of the device.</param>
    /// <param name="widths">Widths the kernels have, the fastest first.</param>
    /// <param name="splitWidths">Widths of the kernels that split K.</param>
    public static LargeTile Choose(int m, int n, long rowBytes, bool gateUp, int multiprocessors, ReadOnlySpan<int> widths, ReadOnlySpan<int> splitWidths)
    {
        long stages = (rowBytes + StageBytes - 1) / StageBytes;
        LargeTile best = default;
        long least = long.MaxValue;
        foreach (int width in widths)
        {
            long units = Units(Ceil(m, Rows), n, gateUp, width);
            long cost = Ceil(units, multiprocessors) * ((Cost(width) * stages) + TileStart + (TileEnd * width));
            if (cost < least)
            {
                least = cost;
                best = new LargeTile(width, 1, DenseGroup, (int)Math.Min(units, multiprocessors));
            }
        }

        foreach (int width in splitWidths)
        {
            long units = Units(Ceil(m, Rows), n, gateUp, width);
            foreach (int split in _splits)
            {
                // All parts at once, and each with something to do.
                if (units * split <= multiprocessors && stages >= 4 * split)
                {
                    long cost = ((Cost(width) * Ceil(stages, split)) + TileStart + SplitStart + (SplitEnd * width)) * 11 / 10;
                    if (cost < least)
                    {
                        least = cost;
                        best = new LargeTile(width, split, DenseGroup, (int)units * split);
                    }
                }
            }
        }

        return best;
    }

    /// <summary>The cut of a matmul by expert, of whose tiles only the most there can be is known.</summary>
    /// <param name="pairs">Rows of x, of all experts.</param>
    /// <param name="numExperts">E.</param>
    /// <param name="n">Rows of W of one expert.</param>
    /// <param name="gateUp">The tile's columns are halved over gate and up.</param>
    /// <param name="multiprocessors">Of the device.</param>
    /// <param name="widths">Widths the kernels have, the fastest first.</param>
    public static LargeTile ChooseExperts(int pairs, int numExperts, int n, bool gateUp, int multiprocessors, ReadOnlySpan<int> widths)
    {
        // Most experts end with a part of a tile: half a tile each, on the average.
        long rowTiles = Ceil(pairs, Rows) + (Math.Min(pairs, numExperts) / 2);
        LargeTile best = default;
        long least = long.MaxValue;
        foreach (int width in widths)
        {
            long cost = Ceil(Units(rowTiles, n, gateUp, width), multiprocessors) * Cost(width);
            if (cost < least)
            {
                least = cost;
                best = new LargeTile(width, 1, ExpertGroup, multiprocessors);
            }
        }

        return best;
    }

    // Measured: narrow tiles read shared memory more often for their work than they have time for.
    private static int Cost(int width) => width switch { 128 => 140, 64 => 100, _ => width };

    private static long Units(long rowTiles, int n, bool gateUp, int width) => rowTiles * (gateUp ? Ceil(n / 2, width / 2) : Ceil(n, width));

    private static long Ceil(long a, long b) => (a + b - 1) / b;
}
