namespace Hadal.Kernels.Attention;

/// <summary>
/// How the contexts of short sequences are cut over blocks: up to <see cref="WholeTiles"/> · 64 keys not at all, longer ones in parts of at least <see cref="MinTiles"/> · 64 keys,
/// at most <see cref="MaxParts"/> of them.
/// </summary>
/// <remarks>
/// Where a sequence is cut depends on this and on its own context alone. It is chosen by the number of sequences, so the same row may be summed in another order in a batch of
/// another size; <see cref="Fixed"/> is the same for all.
/// </remarks>
public readonly record struct AttentionSplit(int MinTiles, int MaxParts, int WholeTiles)
{
    // Blocks that a card of 132 multiprocessors holds at once.
    private const int Blocks = 264;

    /// <summary>One cut for every batch.</summary>
    public static AttentionSplit Fixed => new(8, 16, 8);

    /// <summary>For grouped queries.</summary>
    /// <param name="numSequences">Of the step, padding included.</param>
    /// <param name="pairs">Pieces of work a sequence has even when it is not cut.</param>
    /// <param name="deterministic">The same whatever the other two.</param>
    /// <remarks>On an H100 a tile takes a lone block 0.7 µs beside 3 for its start and end, and adding up parts 3.5: eight tiles are worth a cut, where blocks would idle otherwise.</remarks>
    public static AttentionSplit For(int numSequences, int pairs, bool deterministic)
    {
        if (deterministic)
        {
            return Fixed;
        }

        int spare = Blocks / Math.Max(1, numSequences * pairs);
        return spare >= 2
            ? new(Math.Max(2, 16 / spare), spare >= 8 ? 32 : 16, 8)

            // Every block has a sequence: only much longer ones than the others are cut.
            : new(32, numSequences * pairs > 512 ? 8 : 16, 48);
    }

    /// <summary>For latents: the parts are added up by a kernel of its own, so that shorter ones pay.</summary>
    /// <param name="numSequences">Of the step, padding included.</param>
    /// <param name="pairs">Pieces of work a sequence has even when it is not cut.</param>
    /// <param name="tileKeys">What a tile is here: 64 keys, or 16 where a block has sixteen rows.</param>
    /// <param name="deterministic">The same whatever the others.</param>
    public static AttentionSplit ForLatents(int numSequences, int pairs, int tileKeys, bool deterministic)
    {
        int tiles = 64 / tileKeys;
        if (deterministic)
        {
            return new(Fixed.MinTiles * tiles, Fixed.MaxParts, Fixed.WholeTiles * tiles);
        }

        int spare = Blocks / Math.Max(1, numSequences * pairs);
        // A block for each tile, where there are so many: a tile takes a block 1 µs.
        return spare >= 64 ? new(1, 64, 1)
            : spare >= 2 ? new(Math.Max(1, 16 / spare) * tiles, spare >= 8 ? 32 : 16, tiles)
            : new(16 * tiles, 8, 32 * tiles);
    }
}
