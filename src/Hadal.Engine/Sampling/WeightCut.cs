using System.Diagnostics;

namespace Hadal.Engine.Sampling;

/// <summary>Where an ordered set of weights is cut: all above <see cref="Weight"/> stay, and the first <see cref="NumEqual"/> equal to it.</summary>
internal readonly record struct WeightCut(float Weight, int NumEqual)
{
    /// <summary>The cut that keeps the k largest. Expected O(n): three-way quickselect, no sort.</summary>
    /// <param name="weights">Reordered.</param>
    /// <param name="k">Between 1 and the number of weights.</param>
    public static WeightCut ByCount(Span<float> weights, int k)
    {
        Debug.Assert(k >= 1 && k <= weights.Length, "a cut inside the set");
        while (true)
        {
            float pivot = Partition(weights, out int numAbove, out int numEqual);
            if (k <= numAbove)
            {
                weights = weights[..numAbove];
            }
            else if (k <= numAbove + numEqual)
            {
                return new(pivot, k - numAbove);
            }
            else
            {
                k -= numAbove + numEqual;
                weights = weights[(numAbove + numEqual)..];
            }
        }
    }

    /// <summary>The cut that keeps the fewest of the largest whose sum reaches <paramref name="mass"/>, at least one. The same quickselect, by sums.</summary>
    public static WeightCut ByMass(Span<float> weights, double mass)
    {
        while (true)
        {
            float pivot = Partition(weights, out int numAbove, out int numEqual);
            double above = LogitMath.Sum(weights[..numAbove]);
            if (numAbove > 0 && above >= mass)
            {
                weights = weights[..numAbove];
                continue;
            }

            mass -= above;
            double equal = (double)pivot * numEqual;
            // The sums of parts may fall short of the sum of the whole by a rounding: the smallest weights then stay too.
            if (equal >= mass || numAbove + numEqual == weights.Length)
                return new(pivot, (int)Math.Clamp(Math.Ceiling(mass / pivot), 1, numEqual));
            mass -= equal;
            weights = weights[(numAbove + numEqual)..];
        }
    }

    /// <summary>Reorders to: above the pivot, equal, below.</summary>
    private static float Partition(Span<float> weights, out int numAbove, out int numEqual)
    {
        float a = weights[0];
        float b = weights[weights.Length / 2];
        float c = weights[^1];
        float pivot = Math.Max(Math.Min(a, b), Math.Min(Math.Max(a, b), c));
        int above = 0;
        int below = weights.Length;
        int i = 0;
        while (i < below)
        {
            float w = weights[i];
            if (w > pivot)
            {
                weights[i++] = weights[above];
                weights[above++] = w;
            }
            else if (w < pivot)
            {
                weights[i] = weights[--below];
                weights[below] = w;
            }
            else
            {
                i++;
            }
        }

        numAbove = above;
        numEqual = below - above;
        return pivot;
    }
}
