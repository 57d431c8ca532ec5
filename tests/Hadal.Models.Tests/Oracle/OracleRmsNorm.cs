namespace Hadal.Models.Tests.Oracle;

/// <summary>y_d = x_d / sqrt(mean(x²) + eps) · w_d (arXiv:1910.07467)</summary>
internal static class OracleRmsNorm
{
    public static double[] Forward(double[] x, double[] weight, double eps)
    {
        double scale = 1 / Math.Sqrt((x.Sum(v => v * v) / x.Length) + eps);
        return [.. x.Select((v, d) => v * scale * weight[d])];
    }
}
