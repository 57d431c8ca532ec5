using System.Buffers;
using Hadal.Kernels.Weights;

namespace Hadal.Kernels.MatMul;

public static unsafe partial class MatMulNt
{
    public static void ForwardReference(MatrixF32 x, ReadOnlySpan<WeightMatrix> parts, in MatMulEpilogue epilogue, MatrixF32 y)
    {
        int column = 0;
        foreach (ref readonly WeightMatrix w in parts)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual(w.Columns, x.Columns, nameof(parts));
            float[] row = ArrayPool<float>.Shared.Rent(w.Columns);
            fixed (float* decoded = row)
            {
                for (int n = 0; n < w.Rows; n++, column++)
                {
                    WeightDecoder.DecodeRowReference(w, n, 0, w.Columns, decoded);
                    for (int t = 0; t < x.Rows; t++)
                    {
                        double sum = 0;
                        for (int k = 0; k < w.Columns; k++)
                        {
                            sum += (double)x.Row(t)[k] * decoded[k];
                        }

                        if (epilogue.Bias != null)
                        {
                            sum += epilogue.Bias[column];
                        }

                        if (epilogue.Residual.Data != null)
                        {
                            sum += epilogue.Residual.Row(t)[column];
                        }

                        y.Row(t)[column] = (float)sum;
                    }
                }
            }

            ArrayPool<float>.Shared.Return(row);
        }

        ArgumentOutOfRangeException.ThrowIfNotEqual(column, y.Columns, nameof(y));
    }
}
