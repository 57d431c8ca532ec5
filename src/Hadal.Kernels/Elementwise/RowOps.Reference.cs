namespace Hadal.Kernels.Elementwise;

public static unsafe partial class RowOps
{
    public static void AddReference(MatrixF32 a, MatrixF32 b, MatrixF32 y)
    {
        for (int t = 0; t < y.Rows; t++)
        {
            for (int i = 0; i < y.Columns; i++)
            {
                y.Row(t)[i] = a.Row(t)[i] + b.Row(t)[i];
            }
        }
    }

    public static void MulReference(MatrixF32 a, MatrixF32 b, MatrixF32 y)
    {
        for (int t = 0; t < y.Rows; t++)
        {
            for (int i = 0; i < y.Columns; i++)
            {
                y.Row(t)[i] = a.Row(t)[i] * b.Row(t)[i];
            }
        }
    }

    public static void AddBiasReference(MatrixF32 x, ReadOnlySpan<float> bias, MatrixF32 y)
    {
        for (int t = 0; t < y.Rows; t++)
        {
            for (int i = 0; i < y.Columns; i++)
            {
                y.Row(t)[i] = x.Row(t)[i] + bias[i];
            }
        }
    }
}
