namespace Hadal.Kernels.Moe;

public static unsafe partial class TopKRouter
{
    public static void ForwardReference(MatrixF32 logits, ReadOnlySpan<float> correctionBias, in RouterConfig config, int* ids, MatrixF32 weights)
    {
        int e = config.NumExperts;
        int perGroup = e / config.NumGroups;
        float[] scores = new float[e];
        float[] choice = new float[e];
        float[] groupScores = new float[config.NumGroups];
        for (int t = 0; t < logits.Rows; t++)
        {
            Score(logits.RowSpan(t), config.Sigmoid, scores);
            for (int i = 0; i < e; i++)
            {
                choice[i] = scores[i] + (correctionBias.IsEmpty ? 0 : correctionBias[i]);
            }

            if (config.NumGroups > 1)
            {
                for (int g = 0; g < config.NumGroups; g++)
                {
                    ReadOnlySpan<float> group = choice.AsSpan(g * perGroup, perGroup);
                    int best = ArgMax(group, -1);
                    groupScores[g] = group[best] + (config.GroupScoreTopTwo && perGroup > 1 ? group[ArgMax(group, best)] : 0);
                }

                for (int drop = 0; drop < config.NumGroups - config.TopkGroup; drop++)
                {
                    int worst = WorstGroup(groupScores);
                    if (worst < 0)
                    {
                        break;
                    }

                    groupScores[worst] = float.NaN;
                    choice.AsSpan(worst * perGroup, perGroup).Fill(float.NegativeInfinity);
                }
            }

            float sum = 0;
            for (int k = 0; k < config.TopK; k++)
            {
                int best = ArgMax(choice, -1);
                ids[(t * config.TopK) + k] = best;
                weights.Row(t)[k] = scores[best];
                sum += scores[best];
                choice[best] = float.NaN;
            }

            for (int k = 0; k < config.TopK; k++)
            {
                weights.Row(t)[k] *= config.ScalingFactor / (config.NormTopkProb ? sum + 1e-20f : 1);
            }
        }
    }

    // The worst group left, NaN marking those that are not; among equals the last, since the first wins. -1 for none.
    private static int WorstGroup(ReadOnlySpan<float> groupScores)
    {
        int worst = -1;
        for (int g = 0; g < groupScores.Length; g++)
        {
            if (!float.IsNaN(groupScores[g]) && (worst < 0 || groupScores[g] <= groupScores[worst]))
            {
                worst = g;
            }
        }

        return worst;
    }

    private static void Score(ReadOnlySpan<float> logits, bool sigmoid, Span<float> scores)
    {
        double max = double.NegativeInfinity;
        foreach (float v in logits)
        {
            max = Math.Max(max, v);
        }

        double sum = 0;
        foreach (float v in logits)
        {
            sum += Math.Exp(v - max);
        }

        for (int i = 0; i < logits.Length; i++)
        {
            scores[i] = (float)(sigmoid ? 1 / (1 + Math.Exp(-(double)logits[i])) : Math.Exp(logits[i] - max) / sum);
        }
    }

    // NaN marks what is taken; an all-NaN row (broken weights) gives 0, and the NaN shows in the weights.
    private static int ArgMax(ReadOnlySpan<float> values, int except)
    {
        int best = -1;
        for (int i = 0; i < values.Length; i++)
        {
            if (i != except && !float.IsNaN(values[i]) && (best < 0 || values[i] > values[best]))
            {
                best = i;
            }
        }

        return Math.Max(best, 0);
    }
}
