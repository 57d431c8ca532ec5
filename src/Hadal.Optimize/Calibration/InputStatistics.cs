using Hadal.Kernels;

namespace Hadal.Optimize.Calibration;

/// <summary>Per input channel of a matrix: the largest magnitude and the mean of squares over the calibration text. Three numbers a channel, kept for a whole model.</summary>
public sealed class InputStatistics
{
    private InputStatistics(int numTokens, float[] absMax, float[] meanSquare, float[] meanAbs)
    {
        NumTokens = numTokens;
        AbsMax = absMax;
        MeanSquare = meanSquare;
        MeanAbs = meanAbs;
    }

    /// <summary>Tokens seen; of an expert those routed to it.</summary>
    public int NumTokens { get; }

    /// <summary>[K]</summary>
    public float[] AbsMax { get; }

    /// <summary>[K]</summary>
    public float[] MeanSquare { get; }

    /// <summary>[K]</summary>
    public float[] MeanAbs { get; }

    /// <summary>Statistics of one step's rows.</summary>
    public static InputStatistics Of(MatrixF32 x)
    {
        float[] absMax = new float[x.Columns];
        double[] squares = new double[x.Columns];
        double[] magnitudes = new double[x.Columns];
        for (int t = 0; t < x.Rows; t++)
        {
            ReadOnlySpan<float> row = x.RowSpan(t);
            for (int k = 0; k < row.Length; k++)
            {
                float a = MathF.Abs(row[k]);
                absMax[k] = Math.Max(absMax[k], a);
                magnitudes[k] += a;
                squares[k] += (double)a * a;
            }
        }

        int n = Math.Max(1, x.Rows);
        return new InputStatistics(x.Rows, absMax, [.. squares.Select(s => (float)(s / n))], [.. magnitudes.Select(m => (float)(m / n))]);
    }

    /// <summary>Of inputs whose channels are divided by <paramref name="factors"/>.</summary>
    public InputStatistics DividedBy(ReadOnlySpan<float> factors)
    {
        float[] absMax = [.. AbsMax];
        float[] meanSquare = [.. MeanSquare];
        float[] meanAbs = [.. MeanAbs];
        for (int k = 0; k < factors.Length; k++)
        {
            absMax[k] /= factors[k];
            meanAbs[k] /= factors[k];
            meanSquare[k] /= factors[k] * factors[k];
        }

        return new InputStatistics(NumTokens, absMax, meanSquare, meanAbs);
    }
}
