namespace Hadal.Cli.Bench.Serving;

/// <summary>
/// Times between arrivals of an open loop: gamma-distributed with mean 1/rate and shape <c>burstiness</c>. 1 is a Poisson process, less comes in
/// bursts, more comes evenly. Same seed, same times.
/// </summary>
internal sealed class Arrivals(double requestsPerSecond, double burstiness, int seed)
{
    private readonly Random _random = new(seed);

    public TimeSpan Next() => TimeSpan.FromSeconds(Gamma(burstiness) / (burstiness * requestsPerSecond));

    // Marsaglia and Tsang, "A simple method for generating gamma variables", ACM TOMS 26 (2000).
    private double Gamma(double shape)
    {
        if (shape < 1)
        {
            return Gamma(shape + 1) * Math.Pow(1 - _random.NextDouble(), 1 / shape);
        }

        double d = shape - 1.0 / 3, c = 1 / Math.Sqrt(9 * d);
        while (true)
        {
            double x = Normal(), v = 1 + c * x;
            if (v <= 0)
            {
                continue;
            }

            v = v * v * v;
            double u = 1 - _random.NextDouble();
            if (Math.Log(u) < 0.5 * x * x + d - d * v + d * Math.Log(v))
            {
                return d * v;
            }
        }
    }

    private double Normal() => Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble());
}
