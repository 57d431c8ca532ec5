namespace Hadal.Models.Tests.Oracle;

/// <summary>Σ_j softmax_j(q · k_j · scale) · v_j over the keys given: those of a token's past and its own.</summary>
internal static class OracleAttention
{
    public static double[] Forward(double[] q, IEnumerable<double[]> keys, IEnumerable<double[]> values, double scale)
    {
        double[] p = OracleMath.Softmax([.. keys.Select(k => scale * OracleMath.Dot(k, q))]);
        double[]? sum = null;
        foreach ((double weight, double[] v) in p.Zip(values))
        {
            sum ??= new double[v.Length];
            for (int d = 0; d < v.Length; d++)
            {
                sum[d] += weight * v[d];
            }
        }

        return sum!;
    }
}
