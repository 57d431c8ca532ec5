using Hadal.Graph.Ir;
using Hadal.Optimize.Calibration;

namespace Hadal.Optimize.Quantization;

/// <summary>
/// Factors moved from a value's channels into the matrices that read it: what makes the value is divided, columns of its readers are multiplied, and nothing
/// changes but where the large numbers are.
/// </summary>
/// <remarks>
/// Factors are powers of two, so that dividing a bf16 norm or multiplying a router changes no bit of any product. What makes a value is a norm's weight, or
/// <c>up_proj</c> of a gated feed-forward; the inputs of <c>o_proj</c> are left as they are.
/// </remarks>
public sealed class ScaleMigration
{
    private readonly Dictionary<string, float[]> _columns = new(StringComparer.Ordinal);
    private readonly Dictionary<string, float[]> _divisors = new(StringComparer.Ordinal);

    /// <summary>No factors at all.</summary>
    public static ScaleMigration None { get; } = new();

    /// <summary>Number of values whose channels are divided.</summary>
    public int Count => _divisors.Count;

    /// <summary>What a matrix's columns are multiplied with [K]; empty for nothing.</summary>
    public float[] ColumnFactors(string name) => _columns.GetValueOrDefault(name) ?? [];

    /// <summary>What a norm's weights or a matrix's rows are divided by; empty for nothing.</summary>
    public float[] Divisors(string name) => _divisors.GetValueOrDefault(name) ?? [];

    /// <summary>SmoothQuant: max|x|^α / max|w|^(1−α), by channel, over all matrices that read the value.</summary>
    /// <param name="input">Statistics of the value.</param>
    /// <param name="weightAbsMax">[K]: largest magnitude of each column over its readers.</param>
    /// <param name="alpha">0: nothing of the activations' outliers is moved; 1: all.</param>
    public static float[] Smooth(InputStatistics input, ReadOnlySpan<float> weightAbsMax, double alpha)
    {
        float[] factors = new float[input.AbsMax.Length];
        for (int k = 0; k < factors.Length; k++)
        {
            double x = Math.Max(input.AbsMax[k], 1e-5);
            double w = Math.Max(weightAbsMax[k], 1e-5);
            factors[k] = (float)(Math.Pow(x, alpha) / Math.Pow(w, 1 - alpha));
        }

        return PowersOfTwo(factors);
    }

    /// <summary>Activation-aware scaling: mean|x|^β, by channel.</summary>
    public static float[] ActivationAware(InputStatistics input, double beta)
        => PowersOfTwo([.. input.MeanAbs.Select(m => (float)Math.Pow(Math.Max(m, 1e-5), beta))]);

    /// <param name="producer">What makes the value.</param>
    /// <param name="readers">All that read it.</param>
    /// <param name="factors">[K], powers of two.</param>
    public void Add(WeightSpec producer, IEnumerable<WeightSpec> readers, float[] factors)
    {
        _divisors.Add(producer.Name, factors);
        foreach (WeightSpec reader in readers)
        {
            _columns.Add(reader.Name, factors);
        }
    }

    /// <summary>To the nearest power of two, around 1: the geometric mean is taken out.</summary>
    private static float[] PowersOfTwo(float[] factors)
    {
        double mean = factors.Average(f => Math.Log2(f));
        return [.. factors.Select(f => (float)Math.ScaleB(1, (int)Math.Clamp(Math.Round(Math.Log2(f) - mean), -16, 16)))];
    }
}
