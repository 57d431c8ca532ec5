using System.Numerics;
using Hadal.Jit;

namespace Hadal.Kernels.Packed;

/// <summary>y[t] = residual[t] + Σ_k weights[t, k] · outputs[places[t, k]]</summary>
internal readonly unsafe struct PackedCombineWork(MatrixF32 outputs, int* places, MatrixF32 weights, MatrixF32 residual, MatrixF32 y) : IWork
{
    public void Run(int worker, int numWorkers)
    {
        int topK = weights.Columns;
        int first = (int)((long)y.Rows * worker / numWorkers);
        int end = (int)((long)y.Rows * (worker + 1) / numWorkers);
        int width = Vector<float>.Count;
        for (int t = first; t < end; t++)
        {
            float* add = residual.Data == null ? null : residual.Row(t);
            float* w = weights.Row(t);
            int i = 0;
            for (; i <= y.Columns - width; i += width)
            {
                Vector<float> sum = add == null ? Vector<float>.Zero : Vector.Load(add + i);
                for (int k = 0; k < topK; k++)
                {
                    sum += new Vector<float>(w[k]) * Vector.Load(outputs.Row(places[(t * topK) + k]) + i);
                }

                Vector.Store(sum, y.Row(t) + i);
            }

            for (; i < y.Columns; i++)
            {
                float sum = add == null ? 0 : add[i];
                for (int k = 0; k < topK; k++)
                {
                    sum += w[k] * outputs.Row(places[(t * topK) + k])[i];
                }

                y.Row(t)[i] = sum;
            }
        }
    }
}
