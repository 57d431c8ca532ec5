using System.Diagnostics;
using System.Diagnostics.Metrics;
using Hadal.Engine;

namespace Hadal.Extensions.AI.Hosting;

/// <summary>
/// What OpenTelemetry's conventions for generative AI ask of a model server (<c>gen_ai.server.*</c>), as the engine has it; the client's side is
/// Microsoft.Extensions.AI's. Names, units and buckets: semantic-conventions, docs/gen-ai/gen-ai-metrics.md.
/// </summary>
internal sealed class GenAiServerMetrics : IEngineObserver, IDisposable
{
    private readonly IEngineObserver? _next;
    private readonly Meter _meter = new(HadalTelemetry.SourceName);
    private readonly Histogram<double> _duration;
    private readonly Histogram<double> _firstToken;
    private readonly Histogram<double> _outputToken;
    private readonly TagList _tags;

    /// <param name="modelId">Of the tags.</param>
    /// <param name="next">The observer that was there before, or null.</param>
    public GenAiServerMetrics(string modelId, IEngineObserver? next)
    {
        _next = next;
        _tags = new TagList
        {
            { "gen_ai.operation.name", "chat" },
            { "gen_ai.provider.name", "hadal" },
            { "gen_ai.request.model", modelId },
            { "gen_ai.response.model", modelId },
        };
        _duration = Histogram("gen_ai.server.request.duration", "From a request's admission to its last token.", [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]);
        _firstToken = Histogram("gen_ai.server.time_to_first_token", "From a request's admission to its first token.", [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]);
        _outputToken = Histogram("gen_ai.server.time_per_output_token", "Between two tokens of an answer.", [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5]);
    }

    public void OnStarted(TimeSpan queueTime, int numPromptTokens, int numCachedTokens) => _next?.OnStarted(queueTime, numPromptTokens, numCachedTokens);

    public void OnFirstToken(TimeSpan timeToFirstToken)
    {
        _firstToken.Record(timeToFirstToken.TotalSeconds, _tags);
        _next?.OnFirstToken(timeToFirstToken);
    }

    public void OnNextToken(TimeSpan interTokenTime)
    {
        _outputToken.Record(interTokenTime.TotalSeconds, _tags);
        _next?.OnNextToken(interTokenTime);
    }

    public void OnStep(TimeSpan stepTime, int numTokens, int numSequences) => _next?.OnStep(stepTime, numTokens, numSequences);

    public void OnFinished(FinishReason reason, TokenUsage usage, TimeSpan totalTime)
    {
        TagList tags = _tags;
        if (reason is FinishReason.Error or FinishReason.Cancelled or FinishReason.Dropped)
            tags.Add("error.type", reason switch { FinishReason.Error => "engine_failed", FinishReason.Dropped => "dropped", _ => "cancelled" });
        _duration.Record(totalTime.TotalSeconds, tags);
        _next?.OnFinished(reason, usage, totalTime);
    }

    public void Dispose() => _meter.Dispose();

    private Histogram<double> Histogram(string name, string description, double[] boundaries) =>
        _meter.CreateHistogram(name, "s", description, tags: null, new InstrumentAdvice<double> { HistogramBucketBoundaries = boundaries });
}
