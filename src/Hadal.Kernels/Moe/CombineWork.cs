using System.Numerics;
using Hadal.Jit;

namespace Hadal.Kernels.Moe;

/// <summary>Y[t, :] = Σ_k Weights[t, k] · Outputs[t · TopK + k, :] + Residual[t, :], k in order.</summary>
internal unsafe struct CombineWork : IWork
{
    private const int ChunkColumns = 1024;

    public float* Outputs;

    public MatrixF32 Weights;

    public MatrixF32 Residual;

    public MatrixF32 Y;

    public readonly void Run(int worker, int numWorkers)
    {
        int chunks = (Y.Columns + ChunkColumns - 1) / ChunkColumns;
        long items = (long)Y.Rows * chunks;
        for (long item = items * worker / numWorkers; item < items * (worker + 1) / numWorkers; item++)
        {
            int column = (int)(item % chunks) * ChunkColumns;
            Combine((int)(item / chunks), column, Math.Min(column + ChunkColumns, Y.Columns));
        }
    }

    private readonly void Combine(int t, int column, int end)
    {
        int topK = Weights.Columns;
        float* weights = Weights.Row(t);
        float* outputs = Outputs + ((nint)t * topK * Y.Columns);
        float* residual = Residual.Data != null ? Residual.Row(t) : null;
        float* y = Y.Row(t);
        for (; column <= end - Vector<float>.Count; column += Vector<float>.Count)
        {
            Vector<float> sum = Vector<float>.Zero;
            for (int k = 0; k < topK; k++)
            {
                sum += Vector.Load(outputs + ((nint)k * Y.Columns) + column) * weights[k];
            }

            Vector.Store(residual != null ? sum + Vector.Load(residual + column) : sum, y + column);
        }

        for (; column < end; column++)
        {
            float sum = 0;
            for (int k = 0; k < topK; k++)
            {
                sum += outputs[((nint)k * Y.Columns) + column] * weights[k];
            }

            y[column] = residual != null ? sum + residual[column] : sum;
        }
    }
}
