namespace Hadal.Kernels.Rope;

public static unsafe partial class RotaryEmbedding
{
    public static void ForwardReference(MatrixF32 x, MatrixF32 cosSin, int numHeads, int start, bool interleaved, MatrixF32 y)
    {
        int headDim = x.Columns / numHeads;
        int half = cosSin.Columns / 2;
        for (int t = 0; t < x.Rows; t++)
        {
            float* cos = cosSin.Row(t);
            float* sin = cos + half;
            x.RowSpan(t).CopyTo(y.RowSpan(t));
            for (int h = 0; h < numHeads; h++)
            {
                float* head = y.Row(t) + (h * headDim) + start;
                for (int i = 0; i < half; i++)
                {
                    ref float a = ref head[interleaved ? 2 * i : i];
                    ref float b = ref head[interleaved ? (2 * i) + 1 : i + half];
                    (a, b) = ((a * cos[i]) - (b * sin[i]), (b * cos[i]) + (a * sin[i]));
                }
            }
        }
    }
}
