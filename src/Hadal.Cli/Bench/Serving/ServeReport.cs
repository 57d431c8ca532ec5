using System.Globalization;
using System.Text;

namespace Hadal.Cli.Bench.Serving;

/// <summary>The result of <c>hadal bench serve</c>. Times are in milliseconds on the client's clock, of requests that succeeded.</summary>
internal sealed record ServeReport
{
    public required ServeEnvironment Environment { get; init; }

    public required ServeSettings Settings { get; init; }

    /// <summary>Ended by Ctrl-C before its time: what came until then.</summary>
    public required bool IsPartial { get; init; }

    public required long NumRequests { get; init; }

    public required long NumSucceeded { get; init; }

    public required long NumFailed { get; init; }

    /// <summary>Running when the load was ended.</summary>
    public required long NumInterrupted { get; init; }

    /// <summary>How often each kind of error came.</summary>
    public required IReadOnlyDictionary<string, int> Errors { get; init; }

    public required IReadOnlyDictionary<string, int> FinishReasons { get; init; }

    /// <summary>From the first request to the end of the last.</summary>
    public required double DurationSeconds { get; init; }

    public required int PeakConcurrency { get; init; }

    public required long PromptTokens { get; init; }

    public required long CachedTokens { get; init; }

    public required long OutputTokens { get; init; }

    /// <summary><c>usage</c>; or <c>chunks</c> where the server reported none for some request, and chunks with text were counted there.</summary>
    public required string OutputTokensFrom { get; init; }

    public required double RequestsPerSecond { get; init; }

    public required double OutputTokensPerSecond { get; init; }

    public required double TotalTokensPerSecond { get; init; }

    /// <summary>Requests a second that kept every target; null without targets.</summary>
    public double? GoodputRequestsPerSecond { get; init; }

    public double? GoodputShare { get; init; }

    public Distribution? TtftMs { get; init; }

    public Distribution? TpotMs { get; init; }

    public Distribution? ItlMs { get; init; }

    public Distribution? E2eMs { get; init; }

    /// <summary>Open loop: how late requests were sent, because a limit of concurrency or this machine held them back.</summary>
    public Distribution? LagMs { get; init; }

    /// <summary>Processor time of this client.</summary>
    public required double ClientCpuSeconds { get; init; }

    public static ServeReport Of(
        IReadOnlyCollection<RequestOutcome> outcomes, LoadPlan plan, SloTargets? slo, IReadOnlyList<double> percentiles, ServeSettings settings, ServeEnvironment environment,
        TimeSpan duration, int peak, TimeSpan clientCpu, bool isPartial)
    {
        RequestOutcome[] good = [.. outcomes.Where(o => o.IsSuccess)];
        double seconds = Math.Max(duration.TotalSeconds, 1e-9);
        long prompt = good.Sum(o => (long)o.PromptTokens), output = good.Sum(o => (long)o.OutputTokens);
        int numKept = slo is null ? 0 : outcomes.Count(slo.AreMet);
        return new ServeReport
        {
            Environment = environment,
            Settings = settings,
            IsPartial = isPartial,
            NumRequests = outcomes.Count,
            NumSucceeded = good.Length,
            NumFailed = outcomes.Count(o => o.Error is not null),
            NumInterrupted = outcomes.Count(o => o.IsInterrupted),
            Errors = Counts(outcomes.Select(o => o.Error)),
            FinishReasons = Counts(good.Select(o => o.FinishReason)),
            DurationSeconds = seconds,
            PeakConcurrency = peak,
            PromptTokens = prompt,
            CachedTokens = good.Sum(o => (long)o.CachedTokens),
            OutputTokens = output,
            OutputTokensFrom = good.All(o => o.HasUsage) ? "usage" : "chunks",
            RequestsPerSecond = good.Length / seconds,
            OutputTokensPerSecond = output / seconds,
            TotalTokensPerSecond = (prompt + output) / seconds,
            GoodputRequestsPerSecond = slo is null ? null : numKept / seconds,
            GoodputShare = slo is null || outcomes.Count == 0 ? null : numKept / (double)outcomes.Count(o => !o.IsInterrupted),
            TtftMs = Distribution.Of(good.Where(o => o.Ttft is not null).Select(o => o.Ttft!.Value.TotalMilliseconds), percentiles),
            TpotMs = Distribution.Of(good.Where(o => o.Tpot is not null).Select(o => o.Tpot!.Value.TotalMilliseconds), percentiles),
            ItlMs = Distribution.Of(good.SelectMany(o => o.ItlMs).Select(ms => (double)ms), percentiles),
            E2eMs = Distribution.Of(good.Select(o => o.E2e.TotalMilliseconds), percentiles),
            LagMs = double.IsFinite(plan.RequestRate) ? Distribution.Of(outcomes.Select(o => o.Lag.TotalMilliseconds), percentiles) : null,
            ClientCpuSeconds = clientCpu.TotalSeconds,
        };
    }

    /// <summary>For people.</summary>
    public string ToTable()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{(IsPartial ? "PARTIAL, ended early: " : "")}{NumSucceeded} of {NumRequests} requests succeeded in {DurationSeconds:0.0} s, at most {PeakConcurrency} at once\n");
        foreach ((string kind, int count) in Errors)
        {
            text.Append(CultureInfo.InvariantCulture, $"  failed {count}: {kind}\n");
        }

        text.Append(CultureInfo.InvariantCulture, $"  {RequestsPerSecond:0.00} requests/s, {OutputTokensPerSecond:0.0} output tokens/s, {TotalTokensPerSecond:0.0} tokens/s with prompts ({PromptTokens} in, {CachedTokens} of them cached, {OutputTokens} out, by {OutputTokensFrom})\n");
        if (GoodputRequestsPerSecond is { } goodput)
        {
            text.Append(CultureInfo.InvariantCulture, $"  goodput {goodput:0.00} requests/s, {GoodputShare:P1} of all\n");
        }

        string[] names = [.. (TtftMs ?? E2eMs)?.Percentiles.Keys ?? []];
        text.Append($"  {"ms",-6}{"mean",10}{"median",10}").AppendJoin("", names.Select(n => $"{n,10}")).Append($"{"max",10}\n");
        foreach ((string name, Distribution? d) in new[] { ("TTFT", TtftMs), ("TPOT", TpotMs), ("ITL", ItlMs), ("E2E", E2eMs), ("lag", LagMs) })
        {
            if (d is not null)
            {
                text.Append(CultureInfo.InvariantCulture, $"  {name,-6}{d.Mean,10:0.00}{d.Median,10:0.00}").AppendJoin("", names.Select(n => $"{d.Percentiles[n],10:0.00}")).Append(CultureInfo.InvariantCulture, $"{d.Max,10:0.00}\n");
            }
        }

        return text.ToString();
    }

    private static SortedDictionary<string, int> Counts(IEnumerable<string?> names)
        => new(names.Where(n => n is not null).GroupBy(n => n!, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal), StringComparer.Ordinal);
}
