using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

namespace Hadal.Bench;

/// <summary>A column made of a case's work and its median time.</summary>
internal sealed class WorkColumn(string name, string legend, Func<CaseWork, double, string> text) : IColumn
{
    public static readonly WorkColumn[] All =
    [
        new("GB/s", "Bytes that must be moved, a second (median)", static (w, s) => (w.Bytes / s / 1e9).ToString("0.0", CultureInfo.InvariantCulture)),
        new("GOP/s", "10⁹ multiplications and additions a second (median); GFLOP/s where they are of floats",
            static (w, s) => w.Operations == 0 ? "" : (w.Operations / s / 1e9).ToString("0.0", CultureInfo.InvariantCulture)),
        new("of ceiling", "Least time this machine could take over the median time. The machine was measured right before the case; empty where the data lie in caches",
            static (w, s) => w.Share(s) is { } share ? string.Create(CultureInfo.InvariantCulture, $"{share.Share * 100:0} %") : ""),
        new("ceiling", "What bounds: reading memory, or multiply-adds of the case's kind", static (w, s) => w.Share(s)?.Bound ?? ""),
    ];

    public string Id => "Hadal." + name;

    public string ColumnName => name;

    public bool AlwaysShow => true;

    public ColumnCategory Category => ColumnCategory.Custom;

    public int PriorityInCategory => 0;

    public bool IsNumeric => true;

    public UnitType UnitType => UnitType.Dimensionless;

    public string Legend => legend;

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase)
        => KernelBench.WorkOf(benchmarkCase) is { } work && summary[benchmarkCase]?.ResultStatistics is { } statistics ? text(work, statistics.Median / 1e9) : "";

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);

    public bool IsAvailable(Summary summary) => true;

    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;

    public override string ToString() => name;
}
