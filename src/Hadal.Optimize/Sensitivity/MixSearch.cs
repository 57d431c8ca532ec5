using Hadal.Optimize.Quantization;

namespace Hadal.Optimize.Sensitivity;

/// <summary>
/// Chooses a format for every group of units so that the sum of their divergences is small for what is saved: from all bf16, step by step the change that saves most for
/// what it costs. Steps before any point of the path are the best mix of about that size (they are the corners of the convex hull of each group's choices, in order of slope).
/// </summary>
public static class MixSearch
{
    /// <param name="choices">By group: every format measured, and bf16 with a divergence of zero.</param>
    /// <returns>The path: each step with the choice of every group after it; the first is all bf16.</returns>
    public static IReadOnlyList<MixStep> Path(IReadOnlyList<IReadOnlyList<UnitSensitivity>> choices, Func<UnitSensitivity, double> cost)
    {
        UnitSensitivity[] current = [.. choices.Select(c => c.Single(s => s.Format == WeightFormat.Bf16))];
        List<MixStep> path = [new MixStep([.. current], -1)];
        while (true)
        {
            double best = double.NegativeInfinity;
            (int Group, UnitSensitivity Choice)? move = null;
            for (int g = 0; g < choices.Count; g++)
            {
                foreach (UnitSensitivity candidate in choices[g])
                {
                    double saved = cost(current[g]) - cost(candidate);
                    if (saved <= 0)
                    {
                        continue;
                    }

                    // Noise may make a smaller format seem better than bf16: then it is free.
                    double loss = Math.Max(candidate.Divergence.Kl - current[g].Divergence.Kl, 1e-12);
                    if (saved / loss > best)
                    {
                        best = saved / loss;
                        move = (g, candidate);
                    }
                }
            }

            if (move is not { } m)
            {
                return path;
            }

            current[m.Group] = m.Choice;
            path.Add(new MixStep([.. current], m.Group));
        }
    }
}
