using System.Numerics;
using Hadal.Jit;
using Hadal.Kernels.MatMul;
using Hadal.Kernels.Vectors;

namespace Hadal.Kernels.Packed;

internal unsafe struct PackedMatMulWork(
    PackedKernels kernels, ActivationTiles x, PackedMatrix[] parts, int[] firstColumns, MatMulEpilogue epilogue, MatrixF32 y, WorkSplit split) : IWork
{
    public void Run(int worker, int numWorkers)
    {
        float* sums = Scratch.Worker(x.NumTiles * PackedBlock.SumsPerTile(x.Format));
        while (split.Next(worker, out int first, out int count))
        {
            for (int i = first; i < first + count; i++)
            {
                RunBlock(i, sums);
            }
        }
    }

    private readonly void RunBlock(int index, float* sums)
    {
        int part = 0;
        while (index >= parts[part].NumBlocks)
        {
            index -= parts[part++].NumBlocks;
        }

        PackedMatrix m = parts[part];
        PackedBlock.Run(kernels, m, index, x, 0, x.NumTiles, sums);
        int panels = m.PanelsOf(index);
        int row = index * PackedFormat.BlockRows;
        int rows = Math.Min(m.Rows - row, PackedFormat.BlockRows);
        int column = firstColumns[part] + row;
        float* scales = m.RowScales == null ? null : m.RowScales + row;
        float* bias = epilogue.Bias == null ? null : epilogue.Bias + column;
        for (int tile = 0; tile < x.NumTiles; tile++)
        {
            float* tileSums = sums + (tile * PackedBlock.SumsPerTile(x.Format));
            for (int t = 0; t < x.TokensOf(tile); t++)
            {
                int token = x.TileStart(tile) + t;
                float* residual = epilogue.Residual.Data == null ? null : epilogue.Residual.Row(token) + column;
                Store(tileSums + (t * panels * PackedFormat.PanelRows), scales, bias, residual, rows, y.Row(token) + column);
            }
        }
    }

    internal static void Store(float* sums, float* scales, float* bias, float* residual, int count, float* y)
    {
        int i = 0;
        for (; i <= count - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<float> v = Vector.Load(sums + i);
            v = scales == null ? v : v * Vector.Load(scales + i);
            v = bias == null ? v : v + Vector.Load(bias + i);
            v = residual == null ? v : v + Vector.Load(residual + i);
            Vector.Store(v, y + i);
        }

        for (; i < count; i++)
        {
            y[i] = (sums[i] * (scales == null ? 1 : scales[i])) + (bias == null ? 0 : bias[i]) + (residual == null ? 0 : residual[i]);
        }
    }
}
