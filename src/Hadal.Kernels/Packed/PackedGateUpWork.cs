using Hadal.Jit;
using Hadal.Kernels.Activation;
using Hadal.Kernels.Elementwise;
using Hadal.Kernels.Vectors;

namespace Hadal.Kernels.Packed;

/// <summary>h = silu(gate · x) · (up · x) for every token of every expert that has any; a block of gate rows and the same rows of up make one item.</summary>
internal unsafe struct PackedGateUpWork(
    PackedKernels kernels, ActivationTiles x, PackedExpertWeights experts, int[] segmentExpert, MatrixF32 h, WorkSplit split) : IWork
{
    /// <summary>Tiles whose sums of gate wait for those of up: with few tokens, gate and up are each read over several blocks without a break.</summary>
    private const int MinTiles = 16;

    public readonly void Run(int worker, int numWorkers)
    {
        int blocks = experts.Gate[0].NumBlocks;
        int maxTiles = Math.Max(x.NumTiles, MinTiles);
        int half = maxTiles * PackedBlock.SumsPerTile(x.Format);
        float* gates = Scratch.Worker(2 * half);
        float* ups = gates + half;
        while (split.Next(worker, out int item, out int count))
        {
            for (int end = item + count; item < end;)
            {
                (int segment, int block) = Math.DivRem(item, blocks);
                int tiles = x.SegmentTile(segment + 1) - x.SegmentTile(segment);
                int run = Math.Min(Math.Min(end - item, blocks - block), Math.Max(1, maxTiles / tiles));
                RunBlocks(segment, block, run, gates, ups);
                item += run;
            }
        }
    }

    private readonly void RunBlocks(int segment, int firstBlock, int count, float* gates, float* ups)
    {
        PackedMatrix gate = experts.Gate[segmentExpert[segment]];
        PackedMatrix up = experts.Up[segmentExpert[segment]];
        int perTile = PackedBlock.SumsPerTile(x.Format);
        int first = x.SegmentTile(segment);
        int tiles = x.SegmentTile(segment + 1) - first;
        for (int i = 0; i < count; i++)
        {
            PackedBlock.Run(kernels, gate, firstBlock + i, x, first, tiles, gates + (i * tiles * perTile));
        }

        for (int i = 0; i < count; i++)
        {
            PackedBlock.Run(kernels, up, firstBlock + i, x, first, tiles, ups + (i * tiles * perTile));
        }

        for (int i = 0; i < count; i++)
        {
            int row = (firstBlock + i) * PackedFormat.BlockRows;
            int rows = Math.Min(gate.Rows - row, PackedFormat.BlockRows);
            int stride = gate.PanelsOf(firstBlock + i) * PackedFormat.PanelRows;
            for (int tile = 0; tile < tiles; tile++)
            {
                for (int t = 0; t < x.TokensOf(first + tile); t++)
                {
                    int at = (((i * tiles) + tile) * perTile) + (t * stride);
                    Scale(gates + at, gate, row, rows);
                    Scale(ups + at, up, row, rows);
                    BinaryMap.Row<SiluMulOp>(gates + at, ups + at, h.Row(x.TileStart(first + tile) + t) + row, rows);
                }
            }
        }
    }

    private static void Scale(float* sums, PackedMatrix m, int row, int rows)
    {
        if (m.RowScales != null)
        {
            PackedMatMulWork.Store(sums, m.RowScales + row, null, null, rows, sums);
        }
    }
}
