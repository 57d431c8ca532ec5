namespace Hadal.Kernels.Norm;

public static unsafe partial class RmsNorm
{
    public static void ForwardReference(MatrixF32 x, ReadOnlySpan<float> w, float eps, MatrixF32 y)
    {
        int d = w.Length;
        ArgumentOutOfRangeException.ThrowIfNotEqual(x.Columns % d, 0, nameof(w));
        for (int t = 0; t < x.Rows; t++)
        {
            for (int g = 0; g < x.Columns; g += d)
            {
                double squares = 0;
                for (int i = 0; i < d; i++)
                {
                    double v = x.Row(t)[g + i];
                    squares += v * v;
                }

                double inverse = 1 / Math.Sqrt((squares / d) + eps);
                for (int i = 0; i < d; i++)
                {
                    y.Row(t)[g + i] = (float)(x.Row(t)[g + i] * inverse) * w[i];
                }
            }
        }
    }

    private static void Reference(MatrixF32 x, MatrixF32 residual, ReadOnlySpan<float> w, float eps, MatrixF32 sum, MatrixF32 y)
    {
        if (residual.Data == null)
        {
            ForwardReference(x, w, eps, y);
        }
        else
        {
            AddForwardReference(x, residual, w, eps, sum, y);
        }
    }

    public static void AddForwardReference(MatrixF32 x, MatrixF32 residual, ReadOnlySpan<float> w, float eps, MatrixF32 sum, MatrixF32 y)
    {
        for (int t = 0; t < x.Rows; t++)
        {
            for (int i = 0; i < x.Columns; i++)
            {
                sum.Row(t)[i] = x.Row(t)[i] + residual.Row(t)[i];
            }
        }

        ForwardReference(sum, w, eps, y);
    }
}
