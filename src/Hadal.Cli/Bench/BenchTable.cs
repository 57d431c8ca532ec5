using Hadal.Cli.Output;

namespace Hadal.Cli.Bench;

/// <summary>A report as rows of a Markdown table.</summary>
internal static class BenchTable
{
    public static string Rows(BenchReport r) => string.Join('\n', r.Cases.Select(c =>
    {
        string what = c.Kind == "prefill" ? $"prompt of {c.Tokens}" : $"decode, batch {c.Batch}, depth {c.Depth}";
        string share = c.BandwidthShare is { } s ? $"{s:P0}" : "";
        string bandwidth = c.ReadBandwidth is { } b ? $"{b:0}" : "";
        return $"| {r.Model} | {r.WeightDtype} | {what} | {c.TokensPerSecond:0.0} | {share} | {bandwidth} | {Terminal.Bytes(r.PeakMemoryBytes)} |";
    }));
}
