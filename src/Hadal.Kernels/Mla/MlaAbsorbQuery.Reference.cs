using Hadal.Kernels.Weights;

namespace Hadal.Kernels.Mla;

public static unsafe partial class MlaAbsorbQuery
{
    public static void ForwardReference(MatrixF32 q, in WeightMatrix kvB, MlaShape shape, MatrixF32 qLatent)
    {
        int c = shape.KvLoraRank;
        float[] decoded = new float[c];
        double[] sums = new double[c];
        for (int h = 0; h < shape.NumHeads; h++)
        {
            for (int t = 0; t < q.Rows; t++)
            {
                float* query = q.Row(t) + (h * shape.QkHeadDim);
                float* latent = qLatent.Row(t) + (h * shape.CacheWidth);
                Array.Clear(sums);
                for (int n = 0; n < shape.QkNopeHeadDim; n++)
                {
                    fixed (float* p = decoded)
                    {
                        WeightDecoder.DecodeRowReference(kvB, (h * (shape.QkNopeHeadDim + shape.VHeadDim)) + n, 0, c, p);
                    }

                    for (int i = 0; i < c; i++)
                    {
                        sums[i] += (double)query[n] * decoded[i];
                    }
                }

                for (int i = 0; i < c; i++)
                {
                    latent[i] = (float)sums[i];
                }

                for (int i = 0; i < shape.QkRopeHeadDim; i++)
                {
                    latent[c + i] = query[shape.QkNopeHeadDim + i];
                }
            }
        }
    }
}
