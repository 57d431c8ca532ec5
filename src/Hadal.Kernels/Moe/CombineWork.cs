using System.Runtime.Intrinsics;
using Hadal.Jit;
using Hadal.Kernels.Vectors;

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
        if (Lanes512.IsSupported)
        {
            Combine<Lanes512, Vector512<float>>(t, column, end);
        }
        else if (Lanes256.IsSupported)
        {
            Combine<Lanes256, Vector256<float>>(t, column, end);
        }
        else
        {
            Combine<Lanes128, Vector128<float>>(t, column, end);
        }
    }

    private readonly void Combine<TLanes, TV>(int t, int column, int end)
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        int topK = Weights.Columns;
        float* weights = Weights.Row(t);
        float* outputs = Outputs + ((nint)t * topK * Y.Columns);
        float* residual = Residual.Data != null ? Residual.Row(t) : null;
        float* y = Y.Row(t);
        for (; column < end; column += TLanes.Count)
        {
            int count = Math.Min(TLanes.Count, end - column);
            TV sum = default;
            for (int k = 0; k < topK; k++)
            {
                float* output = outputs + ((nint)k * Y.Columns) + column;
                TV value = count == TLanes.Count ? TLanes.Load(output) : TLanes.LoadPartial(output, count);
                sum = TLanes.MultiplyAdd(TLanes.Broadcast(weights[k]), value, sum);
            }

            if (count == TLanes.Count)
            {
                TLanes.Store(y + column, residual != null ? TLanes.Add(sum, TLanes.Load(residual + column)) : sum);
            }
            else
            {
                TLanes.StorePartial(y + column, count, residual != null ? TLanes.Add(sum, TLanes.LoadPartial(residual + column, count)) : sum);
            }
        }
    }
}
