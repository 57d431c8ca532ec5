using Hadal.Engine;
using Hadal.Server.Access;
using Hadal.Server.Generation;
using Hadal.Server.Http;
using Hadal.Server.Responses;
using Hadal.Server.Telemetry;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Hadal.Server;

/// <summary>The API within somebody else's application. Its models may still be loading: the requests that ask for them wait.</summary>
internal sealed class MappedServer : IDisposable
{
    private readonly HadalServerOptions _options;
    private readonly ILoggerFactory _loggers;
    private readonly ServerLifecycle _lifecycle;
    private readonly ServerMetrics _metrics;
    private readonly Gatekeeper _gatekeeper;
    private readonly ServerParts _parts;

    public MappedServer(IServiceProvider services, HadalServerOptions options)
    {
        // The application sees to hosts itself; what stands in the options of them is of a server of its own.
        _options = options with { IsInProcess = true };
        _loggers = services.GetRequiredService<ILoggerFactory>();
        ModelSource[] sources = [.. services.GetServices<ILanguageModelSource>().Select(Source)];
        if (sources.Length == 0)
            throw new InvalidOperationException("MapHadalOpenAI has no model to serve: register one with services.AddHadal(…) of Hadal.Extensions.AI, or an ILanguageModelSource of your own.");
        _lifecycle = new ServerLifecycle(_options, _loggers.CreateLogger<ServerLifecycle>());
        var registry = new ModelRegistry(sources, _options with { IdleUnload = null }, _loggers.CreateLogger(typeof(HadalServer).FullName!));
        _metrics = new ServerMetrics(registry);
        _gatekeeper = new Gatekeeper(_options);
        _parts = new ServerParts(
            registry, _options, new GenerationPipeline(_options, _lifecycle, _metrics, _loggers.CreateLogger<GenerationPipeline>()), _lifecycle, _metrics,
            new ResponseStore(_options.MaxStoredResponses, _options.MaxStoredResponseBytes));

        // The host waits for requests under way when it stops; that they end within the time to drain is seen to here.
        var lifetime = services.GetRequiredService<IHostApplicationLifetime>();
        lifetime.ApplicationStopping.Register(() => _ = _lifecycle.StoppingAsync(CancellationToken.None));
        lifetime.ApplicationStopped.Register(Dispose);
    }

    public RequestDelegate Handler(ApiRoute route) =>
        new ApiMiddleware(route.Create(_parts), _options, _gatekeeper, _lifecycle, _metrics, _loggers.CreateLogger<ApiMiddleware>()).InvokeAsync;

    public void Dispose()
    {
        _metrics.Dispose();
        _lifecycle.Dispose();
    }

    // It stays its owner's, and is never unloaded here.
    private ModelSource Source(ILanguageModelSource source)
    {
        DateTimeOffset created = _options.TimeProvider.GetUtcNow();
        return new ModelSource
        {
            Id = source.ModelId,
            Created = created,
            LoadAsync = async cancellationToken => new HostedModel(ServedModel.Of(await source.GetAsync(cancellationToken), created), Unload: null),
        };
    }
}
