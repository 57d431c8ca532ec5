using Hadal.Kernels.Weights;

namespace Hadal.Kernels.Mla;

public static unsafe partial class MlaExpandValue
{
    public static void ForwardReference(MatrixF32 oLatent, in WeightMatrix kvB, MlaShape shape, MatrixF32 o)
    {
        int c = shape.KvLoraRank;
        float[] decoded = new float[c];
        for (int h = 0; h < shape.NumHeads; h++)
        {
            for (int n = 0; n < shape.VHeadDim; n++)
            {
                int row = (h * (shape.QkNopeHeadDim + shape.VHeadDim)) + shape.QkNopeHeadDim + n;
                fixed (float* p = decoded)
                {
                    WeightDecoder.DecodeRowReference(kvB, row, 0, c, p);
                }

                for (int t = 0; t < oLatent.Rows; t++)
                {
                    double sum = 0;
                    for (int i = 0; i < c; i++)
                    {
                        sum += (double)decoded[i] * oLatent.Row(t)[(h * c) + i];
                    }

                    o.Row(t)[(h * shape.VHeadDim) + n] = (float)sum;
                }
            }
        }
    }
}
