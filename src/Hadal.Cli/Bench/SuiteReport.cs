namespace Hadal.Cli.Bench;

/// <summary>A suite's rows with what they were measured on.</summary>
internal sealed record SuiteReport
{
    public required string Suite { get; init; }

    public required string Command { get; init; }

    /// <summary>With the commit it was built from.</summary>
    public required string Version { get; init; }

    public required string Card { get; init; }

    public string? Driver { get; init; }

    /// <summary>Of the multiprocessors and of the memory, at the end and at the most.</summary>
    public string? Clocks { get; init; }

    /// <summary>What a kernel that only reads moves, in 1e9 bytes a second.</summary>
    public required double ReadBandwidthGbPerS { get; init; }

    public required IReadOnlyList<SuiteRow> Rows { get; init; }

    public string ToMarkdown()
    {
        var text = new System.Text.StringBuilder();
        text.AppendLine($"`{Command}`, version {Version}, {Card}, driver {Driver ?? "unknown"}, clocks {Clocks ?? "unknown"}, plain read {ReadBandwidthGbPerS:0} GB/s");
        text.AppendLine();
        text.AppendLine("| case | measured | must reach | aim | bound by | share of it |");
        text.AppendLine("|---|---|---|---|---|---|");
        foreach (SuiteRow row in Rows)
        {
            string share = row.Share is { } s ? $"{s:P0}" : "";
            text.AppendLine($"| {row.Case} | {row.Measured:#,0.##} {row.Unit} | {row.Must:#,0.##} | {row.Aim:#,0.##} | {row.Bound} | {share} |");
        }

        return text.ToString();
    }
}
