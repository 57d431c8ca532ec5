using Hadal.Kernels.Paging;

namespace Hadal.Kernels.Mla;

public static unsafe partial class MlaLatentAttention
{
    public static void ForwardReference(MatrixF32 qLatent, in PagedBatch batch, KvPages pages, MlaShape shape, float scale, MatrixF32 oLatent)
    {
        int c = shape.KvLoraRank;
        int width = shape.CacheWidth;
        for (int b = 0; b < batch.NumSequences; b++)
        {
            double[] scores = new double[batch.ContextLens[b]];
            for (int t = batch.CuSeqLens[b]; t < batch.CuSeqLens[b + 1]; t++)
            {
                int visible = batch.Positions[t] + 1;
                for (int h = 0; h < shape.NumHeads; h++)
                {
                    float* query = qLatent.Row(t) + (h * width);
                    double max = double.NegativeInfinity;
                    for (int s = 0; s < visible; s++)
                    {
                        nint row = KvRow.Offset(batch, pages, b, s);
                        double dot = 0;
                        for (int i = 0; i < width; i++)
                        {
                            dot += (double)query[i] * KvRow.Load(pages, row + i);
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

                    for (int i = 0; i < c; i++)
                    {
                        double acc = 0;
                        for (int s = 0; s < visible; s++)
                        {
                            acc += scores[s] * KvRow.Load(pages, KvRow.Offset(batch, pages, b, s) + i);
                        }

                        oLatent.Row(t)[(h * c) + i] = (float)(acc / total);
                    }
                }
            }
        }
    }
}
