using Hadal.Jit;
using Hadal.Kernels.Vectors;

namespace Hadal.Kernels.Packed;

/// <summary>Blocks of rows of heads' matrices; segment h of the tiles holds head h's inputs.</summary>
internal unsafe struct PackedHeadsWork(PackedKernels kernels, PackedMatrix[] heads, ActivationTiles x, MatrixF32 y, int yStride, WorkSplit split) : IWork
{
    public readonly void Run(int worker, int numWorkers)
    {
        int perTile = PackedBlock.SumsPerTile(x.Format);
        int blocks = heads[0].NumBlocks;
        float* sums = Scratch.Worker(x.SegmentTile(1) * perTile);
        while (split.Next(worker, out int first, out int count))
        {
            for (int item = first; item < first + count; item++)
            {
                (int h, int block) = Math.DivRem(item, blocks);
                PackedMatrix m = heads[h];
                int tile = x.SegmentTile(h);
                int tiles = x.SegmentTile(h + 1) - tile;
                PackedBlock.Run(kernels, m, block, x, tile, tiles, sums);
                int row = block * PackedFormat.BlockRows;
                int rows = Math.Min(m.Rows - row, PackedFormat.BlockRows);
                int stride = m.PanelsOf(block) * PackedFormat.PanelRows;
                float* scales = m.RowScales == null ? null : m.RowScales + row;
                int token = 0;
                for (int i = 0; i < tiles; i++)
                {
                    for (int t = 0; t < x.TokensOf(tile + i); t++)
                    {
                        float* target = y.Row(token++) + ((nint)h * yStride) + row;
                        PackedMatMulWork.Store(sums + (i * perTile) + (t * stride), scales, null, null, rows, target);
                    }
                }
            }
        }
    }
}
