namespace Hadal.Cli.Bench.Serving;

/// <summary>What many measurements look like. Percentiles are interpolated linearly between ranks, as NumPy does.</summary>
internal sealed record Distribution
{
    public required int Count { get; init; }

    public required double Mean { get; init; }

    public required double Median { get; init; }

    public required double StdDev { get; init; }

    public required double Min { get; init; }

    public required double Max { get; init; }

    /// <summary>By name: p99, p99.9.</summary>
    public required IReadOnlyDictionary<string, double> Percentiles { get; init; }

    /// <returns>Null of nothing.</returns>
    public static Distribution? Of(IEnumerable<double> values, IReadOnlyList<double> percentiles)
    {
        double[] sorted = [.. values];
        if (sorted.Length == 0)
        {
            return null;
        }

        Array.Sort(sorted);
        double mean = sorted.Average();
        return new Distribution
        {
            Count = sorted.Length,
            Mean = mean,
            Median = At(sorted, 50),
            StdDev = Math.Sqrt(sorted.Sum(v => (v - mean) * (v - mean)) / sorted.Length),
            Min = sorted[0],
            Max = sorted[^1],
            Percentiles = percentiles.Distinct().ToDictionary(p => FormattableString.Invariant($"p{p}"), p => At(sorted, p), StringComparer.Ordinal),
        };
    }

    private static double At(double[] sorted, double percentile)
    {
        double rank = percentile / 100 * (sorted.Length - 1);
        int below = (int)rank;
        return below + 1 < sorted.Length ? sorted[below] + (rank - below) * (sorted[below + 1] - sorted[below]) : sorted[below];
    }
}
