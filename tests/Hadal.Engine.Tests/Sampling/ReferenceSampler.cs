using System.Numerics.Tensors;

namespace Hadal.Engine.Tests.Sampling;

/// <summary>The filters as their definitions read: sort all, cut, draw in order of id.</summary>
internal static class ReferenceSampler
{
    public static int Sample(float[] row, SamplingParams p, double uniform)
    {
        // The weights are taken from the same vector exp, so that both sides cut the same numbers; what is compared is the cutting.
        var weights = new float[row.Length];
        TensorPrimitives.Subtract(row, row.Max(), weights);
        if (p.Temperature != 1f)
            TensorPrimitives.Divide(weights, p.Temperature, weights);
        TensorPrimitives.Exp(weights, weights);
        List<int> kept = [.. Enumerable.Range(0, row.Length).Where(i => weights[i] > 0).OrderByDescending(i => weights[i]).ThenBy(i => i)];
        if (p.TopK > 0)
            kept = [.. kept.Take(p.TopK)];
        double mass = kept.Sum(i => (double)weights[i]);
        double sum = 0;
        int count = 0;
        while (count < kept.Count && (count == 0 || p.TopP >= 1f || sum < p.TopP * mass))
            sum += weights[kept[count++]];
        kept = [.. kept.Take(count).Where(i => weights[i] >= p.MinP).Order()];
        double left = uniform * kept.Sum(i => (double)weights[i]);
        foreach (int id in kept)
        {
            left -= weights[id];
            if (left < 0)
                return id;
        }

        return kept[^1];
    }
}
