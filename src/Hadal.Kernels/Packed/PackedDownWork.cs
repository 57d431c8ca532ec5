using Hadal.Jit;
using Hadal.Kernels.Vectors;

namespace Hadal.Kernels.Packed;

/// <summary>outputs = down · h for every token of every expert that has any.</summary>
internal unsafe struct PackedDownWork(
    PackedKernels kernels, ActivationTiles h, PackedExpertWeights experts, int[] segmentExpert, MatrixF32 outputs, WorkSplit split) : IWork
{
    public readonly void Run(int worker, int numWorkers)
    {
        int blocks = experts.Down[0].NumBlocks;
        float* sums = Scratch.Worker(h.NumTiles * PackedBlock.SumsPerTile(h.Format));
        while (split.Next(worker, out int firstItem, out int count))
        {
            for (int item = firstItem; item < firstItem + count; item++)
            {
                RunBlock(item / blocks, item % blocks, sums);
            }
        }
    }

    private readonly void RunBlock(int segment, int block, float* sums)
    {
        int perTile = PackedBlock.SumsPerTile(h.Format);
        PackedMatrix down = experts.Down[segmentExpert[segment]];
        int first = h.SegmentTile(segment);
        int tiles = h.SegmentTile(segment + 1) - first;
        PackedBlock.Run(kernels, down, block, h, first, tiles, sums);
        int row = block * PackedFormat.BlockRows;
        int rows = Math.Min(down.Rows - row, PackedFormat.BlockRows);
        int stride = down.PanelsOf(block) * PackedFormat.PanelRows;
        float* scales = down.RowScales == null ? null : down.RowScales + row;
        for (int i = 0; i < tiles; i++)
        {
            for (int t = 0; t < h.TokensOf(first + i); t++)
            {
                PackedMatMulWork.Store(sums + (i * perTile) + (t * stride), scales, null, null, rows, outputs.Row(h.TileStart(first + i) + t) + row);
            }
        }
    }
}
