using Hadal.Kernels.Paging;

namespace Hadal.Kernels.Attention;

public static unsafe partial class PagedAttention
{
    public static void ForwardReference(MatrixF32 q, in PagedBatch batch, KvPages pages, int numHeads, int numKvHeads, float scale, MatrixF32 o)
    {
        int d = q.Columns / numHeads;
        int group = numHeads / numKvHeads;
        double[] scores = [];
        for (int b = 0; b < batch.NumSequences; b++)
        {
            for (int t = batch.CuSeqLens[b]; t < batch.CuSeqLens[b + 1]; t++)
            {
                int visible = batch.Positions[t] + 1;
                if (scores.Length < visible)
                {
                    scores = new double[Math.Max(visible, batch.ContextLens[b])];
                }

                for (int h = 0; h < numHeads; h++)
                {
                    float* query = q.Row(t) + (h * d);
                    int key = h / group * d;
                    int value = (numKvHeads * d) + key;
                    double max = double.NegativeInfinity;
                    for (int s = 0; s < visible; s++)
                    {
                        nint row = KvRow.Offset(batch, pages, b, s);
                        double dot = 0;
                        for (int i = 0; i < d; i++)
                        {
                            dot += (double)query[i] * KvRow.Load(pages, row + key + i);
                        }

                        scores[s] = dot * scale;
                        max = Math.Max(max, scores[s]);
                    }

                    double sum = 0;
                    for (int s = 0; s < visible; s++)
                    {
                        scores[s] = Math.Exp(scores[s] - max);
                        sum += scores[s];
                    }

                    for (int i = 0; i < d; i++)
                    {
                        double acc = 0;
                        for (int s = 0; s < visible; s++)
                        {
                            acc += scores[s] * KvRow.Load(pages, KvRow.Offset(batch, pages, b, s) + value + i);
                        }

                        o.Row(t)[(h * d) + i] = (float)(acc / sum);
                    }
                }
            }
        }
    }
}
