using Hadal.Engine;
using Hadal.Formats.Checkpoints;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Hadal.Extensions.AI.Hosting;

/// <summary>A model that the host's container owns: loaded once, in the background or by the first that asks, and disposed with the container.</summary>
internal sealed class HostedModel : IHostedService, ILanguageModelSource, IAsyncDisposable, IDisposable
{
    private readonly HadalOptions _options;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _end = new();
    private readonly Lock _lock = new();
    private readonly GenAiServerMetrics? _metrics;
    private Task<HadalModel>? _loading;
    private bool _isDisposed;

    public HostedModel(HadalOptions options, string modelId, ILoggerFactory loggers)
    {
        _options = options;
        ModelId = modelId;
        _logger = loggers.CreateLogger("Hadal.Extensions.AI");
        _metrics = options.UseOpenTelemetry ? new GenAiServerMetrics(modelId, options.Model.Engine.Observer) : null;
        EngineLogger = loggers.CreateLogger("Hadal.Engine");
    }

    public string ModelId { get; }

    private ILogger EngineLogger { get; }

    public async ValueTask<LanguageModel> GetAsync(CancellationToken cancellationToken = default) => (await Loading().WaitAsync(cancellationToken)).Model;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (_options.LoadAtStart)
            _ = Loading();
        return Task.CompletedTask;
    }

    // Answers may be under way until the container goes: who stops the host lets them end, or not.
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        Task<HadalModel>? loading;
        lock (_lock)
        {
            if (_isDisposed)
                return;
            _isDisposed = true;
            loading = _loading;
        }

        await _end.CancelAsync();
        if (loading is not null)
        {
            await ((Task)loading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (loading.IsCompletedSuccessfully)
                await (await loading).DisposeAsync();
        }

        _metrics?.Dispose();
        _end.Dispose();
    }

    // A container that is disposed without await calls this.
    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    private Task<HadalModel> Loading()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, typeof(HadalModel));
            return _loading ??= Task.Run(Load);
        }
    }

    private HadalModel Load()
    {
        long started = TimeProvider.System.GetTimestamp();
        try
        {
            HadalModelOptions options = _options.Model with
            {
                ModelId = ModelId,
                Engine = _options.Model.Engine with { Logger = EngineLogger, Observer = _metrics ?? _options.Model.Engine.Observer },
            };
            HadalModel model = _options.OpenCheckpoint is { } open
                ? HadalModel.Load(Opened(open), ModelId, options, cancellationToken: _end.Token)
                : HadalModel.Load(_options.ModelPath!, options, cancellationToken: _end.Token);
            TimeSpan took = TimeProvider.System.GetElapsedTime(started);
            HostingLog.Loaded(_logger, ModelId, took.TotalSeconds);
            return model;
        }
        catch (Exception e) when (!_end.IsCancellationRequested)
        {
            // Everyone who asks gets it as well; but at the start of a host nobody may have asked yet.
            HostingLog.LoadFailed(_logger, e, ModelId);
            throw;
        }
    }

    private static Checkpoint Opened(Func<Checkpoint> open) => open() ?? throw new InvalidOperationException("HadalOptions.OpenCheckpoint gave null.");
}
