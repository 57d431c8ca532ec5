using System.Diagnostics.Metrics;
using Hadal.Engine;

namespace Hadal.Server.Telemetry;

/// <summary>
/// The server's own instruments, and the engines' counts as observable ones. Names carry no unit where they already say it:
/// the exporter adds <c>_total</c> to counters and <c>_seconds</c> for the unit s.
/// </summary>
internal sealed class ServerMetrics : IDisposable
{
    public const string MeterName = "Hadal.Server";

    // From one decode step of a small model to a long prompt on a slow machine.
    private static readonly double[] s_tokenSeconds = [0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5];
    private static readonly double[] s_requestSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

    private readonly ModelRegistry _models;
    private readonly Counter<long> _requests;

    public ServerMetrics(ModelRegistry models)
    {
        _models = models;
        Meter = new Meter(MeterName);
        _requests = Meter.CreateCounter<long>("hadal_requests", description: "HTTP requests by route and outcome.");
        TimeToFirstToken = Histogram("hadal_time_to_first_token", "From the arrival of a request to its first token.", s_requestSeconds);
        InterTokenLatency = Histogram("hadal_inter_token_latency", "Between two tokens of one choice.", s_tokenSeconds);
        RequestDuration = Histogram("hadal_request_duration", "From the arrival of a generation request to its last token.", s_requestSeconds);

        // Of the process: what a soak watches.
        Meter.CreateObservableGauge("hadal_managed_heap", () => GC.GetTotalMemory(forceFullCollection: false), "By", "Managed objects, garbage that is still there included.");
        Gauge("hadal_requests_running", "Sequences in the running batch.", s => s.Running);
        Gauge("hadal_requests_waiting", "Sequences waiting for a place.", s => s.Waiting);
        Gauge("hadal_kv_pages", "KV cache pages there are.", s => s.KvBlocksTotal);
        Gauge("hadal_kv_pages_used", "KV cache pages held by running sequences.", s => s.KvBlocksUsed);
        Gauge("hadal_kv_pages_cached", "KV cache pages kept only for prefix reuse.", s => s.KvBlocksCached);
        Count("hadal_prompt_tokens", "Prompt tokens.", s => s.PromptTokens);
        Count("hadal_prompt_tokens_cached", "Prompt tokens found in the prefix cache.", s => s.CachedPromptTokens);
        Count("hadal_generated_tokens", "Generated tokens.", s => s.GeneratedTokens);
        Count("hadal_preemptions", "Sequences sent back to wait because pages ran out.", s => s.Preemptions);
        Count("hadal_engine_steps", "Model steps.", s => s.Steps);
        Count("hadal_engine_requests_finished", "Engine requests that came to their end.", s => s.RequestsFinished);
        Count("hadal_engine_requests_cancelled", "Engine requests that were cancelled.", s => s.RequestsCancelled);
        Count("hadal_engine_requests_failed", "Engine requests that failed.", s => s.RequestsFailed);
        Count("hadal_engine_requests_dropped", "Engine requests whose deadline passed or that were shed from a full queue.", s => s.RequestsDropped);
        Meter.CreateObservableCounter("hadal_speculation_drafted_tokens", () => ObservePositions(s => s.DraftedByPosition), description: "Guessed tokens that a step verified, by their place in the guess.");
        Meter.CreateObservableCounter("hadal_speculation_accepted_tokens", () => ObservePositions(s => s.AcceptedByPosition), description: "Guessed tokens that became part of an answer, by their place in the guess.");
        Meter.CreateObservableCounter("hadal_speculation_draft", () => Observe(s => s.Speculation?.DraftSeconds ?? 0), "s", "Time spent in guessing.");
        Gauge("hadal_speculation_failed", "1 where guessing failed and is off until the process is started again.", s => s.Speculation?.HasFailed == true ? 1 : 0);
        Meter.CreateObservableCounter("hadal_engine_step", () => Observe(s => s.StepSeconds), "s", "Time spent in model steps.");
    }

    public Meter Meter { get; }

    public Histogram<double> TimeToFirstToken { get; }

    public Histogram<double> InterTokenLatency { get; }

    public Histogram<double> RequestDuration { get; }

    public void RequestEnded(string route, string outcome) =>
        _requests.Add(1, new KeyValuePair<string, object?>("route", route), new KeyValuePair<string, object?>("outcome", outcome));

    public void Dispose() => Meter.Dispose();

    private Histogram<double> Histogram(string name, string description, double[] boundaries) =>
        Meter.CreateHistogram(name, "s", description, tags: null, new InstrumentAdvice<double> { HistogramBucketBoundaries = boundaries });

    private void Gauge(string name, string description, Func<EngineStats, long> read) =>
        Meter.CreateObservableGauge(name, () => Observe(read), description: description);

    private void Count(string name, string description, Func<EngineStats, long> read) =>
        Meter.CreateObservableCounter(name, () => Observe(read), description: description);

    private List<Measurement<long>> ObservePositions(Func<SpeculationStats, IReadOnlyList<long>> read)
    {
        var measurements = new List<Measurement<long>>();
        foreach (var model in _models.Engines)
        {
            if (model.Engine.GetStats().Speculation is not { } stats)
                continue;
            IReadOnlyList<long> counts = read(stats);
            for (int position = 0; position < counts.Count; position++)
                measurements.Add(new Measurement<long>(counts[position], new KeyValuePair<string, object?>("model", model.Id), new KeyValuePair<string, object?>("position", position)));
        }

        return measurements;
    }

    private IEnumerable<Measurement<T>> Observe<T>(Func<EngineStats, T> read)
        where T : struct
    {
        return [.. _models.Engines.Select(model => new Measurement<T>(read(model.Engine.GetStats()), new KeyValuePair<string, object?>("model", model.Id)))];
    }
}
