namespace Hadal.Models.Tests.Oracle;

/// <summary>What the layers are made of.</summary>
internal static class OracleMath
{
    /// <summary>y_n = Σ_k W_nk · x_k + b_n</summary>
    public static double[] Linear(double[] x, double[][] weight, double[]? bias = null)
    {
        double[] y = new double[weight.Length];
        for (int n = 0; n < y.Length; n++)
        {
            y[n] = Dot(weight[n], x) + (bias is null ? 0 : bias[n]);
        }

        return y;
    }

    public static double Dot(double[] a, double[] b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
        {
            sum += a[i] * b[i];
        }

        return sum;
    }

    public static double[] Add(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x + y)];

    /// <summary>e^x_i / Σ e^x_j</summary>
    public static double[] Softmax(double[] x)
    {
        double max = x.Max();
        double[] e = [.. x.Select(v => Math.Exp(v - max))];
        double sum = e.Sum();
        return [.. e.Select(v => v / sum)];
    }
}
