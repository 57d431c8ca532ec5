using Hadal.Formats.Config;
using Hadal.Numerics;

namespace Hadal.Models.Blocks;

/// <summary>Inverse frequencies of rotary embeddings, with the stretchings in use for longer contexts.</summary>
public static class RopeFrequencies
{
    /// <summary>f_i = theta^(-2i/R), stretched; and the factor on cosines and sines.</summary>
    /// <param name="rope">Kind and constants.</param>
    /// <param name="dim">R: rotated columns of a head.</param>
    public static (float[] InverseFrequencies, float Magnitude) Compute(RopeConfig rope, int dim)
    {
        float[] f = new float[dim / 2];
        for (int i = 0; i < f.Length; i++)
        {
            // float32 like the reference implementation: at large positions the rounding of f shows.
            f[i] = 1f / MathF.Pow((float)rope.Theta, 2f * i / dim);
        }

        float magnitude = 1;
        switch (rope.Type)
        {
            case RopeType.Linear:
                Divide(f, rope.Factor);
                break;
            case RopeType.Llama3:
                Llama3(f, rope);
                break;
            case RopeType.Yarn:
                Yarn(f, rope, dim);
                magnitude = (float)YarnMagnitude(rope);
                break;
            case RopeType.Default:
            case RopeType.Dynamic: // Stretches only past the trained context, which MaxPositionEmbeddings bounds here.
                break;
            default:
                throw new HadalException($"rope type {rope.Type} is not supported.");
        }

        if (rope.FrequencyFactors is { } factors)
        {
            if (factors.Count != f.Length)
            {
                throw new HadalException($"rope_freqs.weight has {factors.Count} factors; {dim} rotated columns need {f.Length}.");
            }

            for (int i = 0; i < f.Length; i++)
            {
                f[i] /= factors[i];
            }
        }

        return (f, magnitude);
    }

    /// <summary>DeepSeek's factor on the softmax scale under YaRN: (0.1 · mscale_all_dim · ln(factor) + 1)².</summary>
    public static double YarnSoftmaxFactor(RopeConfig rope)
    {
        if (rope.Type != RopeType.Yarn || rope.MscaleAllDim is not { } all || all == 0)
        {
            return 1;
        }

        double m = Mscale(rope.Factor, all);
        return m * m;
    }

    // arXiv:2309.00071, section 3.4: 0.1 ln(s) + 1, scaled by the model's own constant.
    private static double Mscale(double factor, double mscale) => factor <= 1 ? 1 : (0.1 * mscale * Math.Log(factor)) + 1;

    private static double YarnMagnitude(RopeConfig rope) => rope switch
    {
        { AttentionFactor: { } stated } => stated,
        { Mscale: { } m and not 0, MscaleAllDim: { } all and not 0 } => Mscale(rope.Factor, m) / Mscale(rope.Factor, all),
        _ => Mscale(rope.Factor, 1),
    };

    // Frequencies that turn often within the trained context stay; those that turn less than once are divided; a ramp between. arXiv:2309.00071, section 3.2.
    private static void Yarn(float[] f, RopeConfig rope, int dim)
    {
        double CorrectionDim(double rotations)
            => dim * Math.Log(rope.OriginalMaxPositionEmbeddings / (rotations * 2 * Math.PI)) / (2 * Math.Log(rope.Theta));

        double low = CorrectionDim(rope.BetaFast);
        double high = CorrectionDim(rope.BetaSlow);
        if (rope.Truncate)
        {
            low = Math.Floor(low);
            high = Math.Ceiling(high);
        }

        low = Math.Max(low, 0);
        high = Math.Min(high, dim - 1);
        if (low == high)
        {
            high += 0.001;
        }

        for (int i = 0; i < f.Length; i++)
        {
            float ramp = (float)Math.Clamp((i - low) / (high - low), 0, 1);
            float stretched = f[i] / (float)rope.Factor;
            f[i] = (stretched * ramp) + (f[i] * (1 - ramp));
        }
    }

    // Llama 3.1: the same idea with wavelengths.
    private static void Llama3(float[] f, RopeConfig rope)
    {
        double old = rope.OriginalMaxPositionEmbeddings;
        for (int i = 0; i < f.Length; i++)
        {
            double wavelength = 2 * Math.PI / f[i];
            if (wavelength > old / rope.LowFreqFactor)
            {
                f[i] /= (float)rope.Factor;
            }
            else if (wavelength >= old / rope.HighFreqFactor)
            {
                float smooth = (float)(((old / wavelength) - rope.LowFreqFactor) / (rope.HighFreqFactor - rope.LowFreqFactor));
                f[i] = ((1 - smooth) * f[i] / (float)rope.Factor) + (smooth * f[i]);
            }
        }
    }

    private static void Divide(float[] f, double by)
    {
        for (int i = 0; i < f.Length; i++)
        {
            f[i] /= (float)by;
        }
    }
}
