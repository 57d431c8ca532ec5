using System.Numerics;
using System.Runtime.InteropServices;
using Hadal.Numerics;

namespace Hadal.Optimize.Quantization;

/// <summary>The scale of a group of 4-bit (or 8-bit) weights: of a range of candidates the one with the least squared error, each weight's error counted by its input's mean square.</summary>
internal static class GroupScale
{
    private const int Candidates = 18;

    /// <summary>
    /// A number that bf16 and float16 both hold: files carry scales in bf16, kernels of 32-column blocks in float16.
    /// </summary>
    public static float Representable(float scale)
    {
        const float smallest = 5.9604645e-8f;
        float s = Math.Clamp(scale, smallest, 65024f);
        return MathF.Max(smallest, Bf16.ToSingle(Bf16.FromSingle((float)(Half)Bf16.ToSingle(Bf16.FromSingle(s)))));
    }

    /// <param name="w">The group.</param>
    /// <param name="importance">Mean squares of its inputs, or empty where nothing is known of them.</param>
    /// <param name="bits">4 or 8.</param>
    public static float Best(ReadOnlySpan<float> w, ReadOnlySpan<float> importance, int bits)
    {
        float absMax = VectorSpan.AbsMax(w);
        if (absMax == 0)
        {
            return Representable(1);
        }

        int most = 1 << (bits - 1);
        if (bits == 8)
        {
            return Representable(absMax / (most - 1));
        }

        // From clipping the largest to leaving it room on the side that has one step fewer.
        float best = 0;
        float bestError = float.PositiveInfinity;
        float before = 0;
        for (int i = 0; i < Candidates; i++)
        {
            float scale = Representable(absMax * (0.75f + (0.025f * i)) / most);
            if (scale == before)
            {
                continue;
            }

            before = scale;
            float error = Error(w, importance, scale, most);
            if (error < bestError)
            {
                best = scale;
                bestError = error;
            }
        }

        return best > 0 ? best : Representable(absMax / most);
    }

    private static float Error(ReadOnlySpan<float> w, ReadOnlySpan<float> importance, float scale, int most)
    {
        var inverse = new Vector<float>(1 / scale);
        var low = new Vector<float>(-most);
        var high = new Vector<float>(most - 1);
        var s = new Vector<float>(scale);
        Vector<float> sum = Vector<float>.Zero;
        ReadOnlySpan<Vector<float>> v = MemoryMarshal.Cast<float, Vector<float>>(w);
        ReadOnlySpan<Vector<float>> weight = MemoryMarshal.Cast<float, Vector<float>>(importance);
        for (int i = 0; i < v.Length; i++)
        {
            Vector<float> e = v[i] - (Vector.Min(high, Vector.Max(low, Vector.Round(v[i] * inverse))) * s);
            sum += importance.IsEmpty ? e * e : e * e * weight[i];
        }

        float total = Vector.Sum(sum);
        for (int k = v.Length * Vector<float>.Count; k < w.Length; k++)
        {
            float e = w[k] - (Math.Clamp(MathF.Round(w[k] / scale), -most, most - 1) * scale);
            total += importance.IsEmpty ? e * e : e * e * importance[k];
        }

        return total;
    }
}
