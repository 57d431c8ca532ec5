namespace Hadal.Kernels.Activation;

public static unsafe partial class Silu
{
    public static void ForwardReference(MatrixF32 x, MatrixF32 y)
    {
        for (int t = 0; t < x.Rows; t++)
        {
            for (int i = 0; i < x.Columns; i++)
            {
                double v = x.Row(t)[i];
                y.Row(t)[i] = (float)(v / (1 + Math.Exp(-v)));
            }
        }
    }

    public static void MulForwardReference(MatrixF32 gate, MatrixF32 up, MatrixF32 y)
    {
        for (int t = 0; t < gate.Rows; t++)
        {
            for (int i = 0; i < gate.Columns; i++)
            {
                double v = gate.Row(t)[i];
                y.Row(t)[i] = (float)(v / (1 + Math.Exp(-v)) * up.Row(t)[i]);
            }
        }
    }
}
