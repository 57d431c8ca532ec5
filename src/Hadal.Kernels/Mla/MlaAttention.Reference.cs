using Hadal.Kernels.Paging;
using Hadal.Kernels.Weights;

namespace Hadal.Kernels.Mla;

public static unsafe partial class MlaAttention
{
    public static void ForwardReference(MatrixF32 q, in PagedBatch batch, KvPages pages, in WeightMatrix kvB, MlaShape shape, float scale, MatrixF32 o)
    {
        int c = shape.KvLoraRank;
        int dn = shape.QkNopeHeadDim;
        int dv = shape.VHeadDim;
        float[] weights = new float[kvB.Rows * c];
        fixed (float* p = weights)
        {
            for (int n = 0; n < kvB.Rows; n++)
            {
                WeightDecoder.DecodeRowReference(kvB, n, 0, c, p + (n * c));
            }
        }

        for (int b = 0; b < batch.NumSequences; b++)
        {
            int context = batch.ContextLens[b];
            double[] expanded = new double[context * (dn + dv)];
            double[] scores = new double[context];
            for (int h = 0; h < shape.NumHeads; h++)
            {
                for (int s = 0; s < context; s++)
                {
                    nint row = KvRow.Offset(batch, pages, b, s);
                    for (int n = 0; n < dn + dv; n++)
                    {
                        double sum = 0;
                        for (int i = 0; i < c; i++)
                        {
                            sum += (double)weights[(((h * (dn + dv)) + n) * c) + i] * KvRow.Load(pages, row + i);
                        }

                        expanded[(s * (dn + dv)) + n] = sum;
                    }
                }

                for (int t = batch.CuSeqLens[b]; t < batch.CuSeqLens[b + 1]; t++)
                {
                    float* query = q.Row(t) + (h * shape.QkHeadDim);
                    int visible = batch.Positions[t] + 1;
                    double max = double.NegativeInfinity;
                    for (int s = 0; s < visible; s++)
                    {
                        double dot = 0;
                        for (int i = 0; i < dn; i++)
                        {
                            dot += query[i] * expanded[(s * (dn + dv)) + i];
                        }

                        nint rope = KvRow.Offset(batch, pages, b, s) + c;
                        for (int i = 0; i < shape.QkRopeHeadDim; i++)
                        {
                            dot += (double)query[dn + i] * KvRow.Load(pages, rope + i);
                        }

                        scores[s] = dot * scale;
                        max = Math.Max(max, scores[s]);
                    }

                    double total = 0;
                    for (int s = 0; s < visible; s++)
                    {
                        scores[s] = Math.Exp(scores[s] - max);
                        total += scores[s];
                    }

                    for (int i = 0; i < dv; i++)
                    {
                        double acc = 0;
                        for (int s = 0; s < visible; s++)
                        {
                            acc += scores[s] * expanded[(s * (dn + dv)) + dn + i];
                        }

                        o.Row(t)[(h * dv) + i] = (float)(acc / total);
                    }
                }
            }
        }
    }
}
