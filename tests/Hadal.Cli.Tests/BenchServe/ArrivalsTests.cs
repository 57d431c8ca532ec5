using Hadal.Cli.Bench.Serving;

namespace Hadal.Cli.Tests.BenchServe;

public sealed class ArrivalsTests
{
    [Theory]
    [InlineData(0.25)]
    [InlineData(1)]
    [InlineData(4)]
    public void Next_Gamma_HasTheRateAndTheBurstinessAskedFor(double burstiness)
    {
        var arrivals = new Arrivals(requestsPerSecond: 50, burstiness, seed: 7);
        double[] seconds = [.. Enumerable.Range(0, 200_000).Select(_ => arrivals.Next().TotalSeconds)];

        double mean = seconds.Average();
        double variance = seconds.Average(s => (s - mean) * (s - mean));
        Assert.Equal(1.0 / 50, mean, 0.02 / 50);
        // Gamma: the squared coefficient of variation is 1 / shape.
        Assert.InRange(variance / (mean * mean) * burstiness, 0.95, 1.05);
        Assert.All(seconds, s => Assert.True(s >= 0));
    }

    [Fact]
    public void Next_SameSeed_GivesTheSameTimes()
    {
        var one = new Arrivals(3, 0.5, seed: 1);
        var two = new Arrivals(3, 0.5, seed: 1);
        Assert.Equal(Enumerable.Range(0, 50).Select(_ => one.Next()), Enumerable.Range(0, 50).Select(_ => two.Next()));
    }
}
