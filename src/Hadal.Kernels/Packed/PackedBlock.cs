namespace Hadal.Kernels.Packed;

/// <summary>One block of up to 64 rows against tiles of tokens.</summary>
internal static unsafe class PackedBlock
{
    /// <summary>Floats of sums that one tile takes at the most.</summary>
    public static int SumsPerTile(PackedFormat format) => format.MaxTokens * PackedFormat.BlockRows;

    /// <summary>sums[tile, token, row of the block] = Σ_k W[row, k] · x[token, k], row scales not applied.</summary>
    /// <param name="kernels">Emitted code.</param>
    /// <param name="m">Weights.</param>
    /// <param name="block">Which block of them.</param>
    /// <param name="x">Activations.</param>
    /// <param name="firstTile">First tile to do.</param>
    /// <param name="numTiles">How many.</param>
    /// <param name="sums">[numTiles, <see cref="SumsPerTile"/>]; a tile's tokens lie <c>16 · panels</c> apart.</param>
    public static void Run(PackedKernels kernels, PackedMatrix m, int block, ActivationTiles x, int firstTile, int numTiles, float* sums)
    {
        PackedFormat format = m.Format;
        int panels = m.PanelsOf(block);
        int columns = PackedFormat.Padded(m.Columns);
        int stride = SumsPerTile(format);
        new Span<float>(sums, numTiles * stride).Clear();
        // A few tokens: the weights pass once, from end to end. Many: the weights of a run of columns stay near while all tokens pass.
        int run = numTiles == 1 ? columns : format.BlockK;
        byte* weights = m.Block(block);
        KernelArgs args = default;
        for (int k = 0; k < columns; k += run)
        {
            int count = Math.Min(run, columns - k);
            int firstGroup = format.GroupK == 0 ? 0 : k / format.GroupK;
            int firstRun = format.RunK == 0 ? 0 : k / format.RunK;
            int roundK = PackedKernelEmitter.RoundK(format);
            args.Weights = weights + (panels * format.PanelOffset(k));
            args.Runs = format.RunK == 0 ? 1 : (count + format.RunK - 1) / format.RunK;
            args.Rounds = format.RunK / roundK;
            args.LastRounds = (count - ((args.Runs - 1) * format.RunK)) / roundK;
            args.WeightScales = m.BlockScales(block) + (firstRun * panels);
            for (int i = 0; i < numTiles; i++)
            {
                int tile = firstTile + i;
                int tokens = x.TokensOf(tile);
                args.Activations = x.Tile(tile) + ((nint)k * format.ActivationBytes * tokens);
                args.Sums = sums + ((nint)i * stride);
                if (format.IsInteger)
                {
                    args.Scales = x.Scales(tile) + ((nint)firstRun * tokens);
                    args.Corrections = x.Corrections(tile) + ((nint)firstGroup * tokens);
                    args.GroupSums = x.GroupSums(tile) + ((nint)firstGroup * tokens);
                }

                kernels.Find(format.Kind, panels, tokens)(&args);
            }
        }
    }
}
