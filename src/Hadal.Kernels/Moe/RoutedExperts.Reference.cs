using Hadal.Kernels.Activation;
using Hadal.Kernels.MatMul;

namespace Hadal.Kernels.Moe;

public static unsafe partial class RoutedExperts
{
    /// <summary>Token by token, expert by expert: the unfused form.</summary>
    public static void ForwardReference(MatrixF32 x, int* ids, MatrixF32 weights, ExpertWeights experts, MatrixF32 residual, MatrixF32 y)
    {
        int topK = weights.Columns;
        int inner = experts.Gate[0].Rows;
        float[] gateUp = new float[2 * inner];
        float[] outs = new float[x.Columns];
        double[] sums = new double[x.Columns];
        fixed (float* g = gateUp, o = outs)
        {
            var gate = new MatrixF32(g, 1, inner, inner);
            var up = new MatrixF32(g + inner, 1, inner, inner);
            var output = new MatrixF32(o, 1, x.Columns, x.Columns);
            for (int t = 0; t < x.Rows; t++)
            {
                var token = new MatrixF32(x.Row(t), 1, x.Columns, x.Stride);
                Array.Clear(sums);
                for (int k = 0; k < topK; k++)
                {
                    int e = ids[(t * topK) + k];
                    MatMulNt.ForwardReference(token, [experts.Gate[e]], default, gate);
                    MatMulNt.ForwardReference(token, [experts.Up[e]], default, up);
                    Silu.MulForwardReference(gate, up, gate);
                    MatMulNt.ForwardReference(gate, [experts.Down[e]], default, output);
                    for (int i = 0; i < sums.Length; i++)
                    {
                        sums[i] += (double)weights.Row(t)[k] * outs[i];
                    }
                }

                for (int i = 0; i < sums.Length; i++)
                {
                    y.Row(t)[i] = (float)(sums[i] + (residual.Data != null ? residual.Row(t)[i] : 0));
                }
            }
        }
    }
}
