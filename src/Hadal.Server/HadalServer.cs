using System.Net;
using Hadal.Numerics;
using Hadal.Server.Access;
using Hadal.Server.Endpoints;
using Hadal.Server.Generation;
using Hadal.Server.Http;
using Hadal.Server.InProcess;
using Hadal.Server.Responses;
using Hadal.Server.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry.Metrics;

namespace Hadal.Server;

/// <summary>The OpenAI-compatible HTTP API over one or more models.</summary>
public static class HadalServer
{
    /// <summary>
    /// Builds the application; <c>RunAsync</c> serves until Ctrl-C or SIGTERM and drains then. The models' engines stay the caller's:
    /// dispose them after the application.
    /// </summary>
    /// <exception cref="HadalException">No model, a name served twice, or an option out of range.</exception>
    public static WebApplication Build(HadalServerOptions options, IReadOnlyList<ServedModel> models, ILoggerFactory loggerFactory)
    {
        ArgumentNullException.ThrowIfNull(models);
        return Build(options, [.. models.Select(ModelSource.Of)], loggerFactory);
    }

    /// <summary>As the other, of models that are loaded when they are first asked for. What was loaded is unloaded when the application is disposed.</summary>
    /// <exception cref="HadalException">No model, a name served twice, or an option out of range.</exception>
    public static WebApplication Build(HadalServerOptions options, IReadOnlyList<ModelSource> models, ILoggerFactory loggerFactory)
        => Build(options, models, loggerFactory, overSocket: true);

    /// <summary>The same application without a socket: for a runner of files, or a host that has its own way in. Starts it; disposing the result ends it.</summary>
    /// <exception cref="HadalException">No model, a name served twice, or an option out of range.</exception>
    public static Task<InProcessApi> StartInProcessAsync(HadalServerOptions options, IReadOnlyList<ServedModel> models, ILoggerFactory loggerFactory, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(models);
        return InProcessApi.StartAsync(Build(options with { IsInProcess = true }, [.. models.Select(ModelSource.Of)], loggerFactory, overSocket: false), cancellationToken);
    }

    private static WebApplication Build(HadalServerOptions options, IReadOnlyList<ModelSource> models, ILoggerFactory loggerFactory, bool overSocket)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(models);
        ArgumentNullException.ThrowIfNull(loggerFactory);
        OptionChecks.Check(options);
        var logger = loggerFactory.CreateLogger(typeof(HadalServer).FullName!);
        var certificate = options.TlsCertPath is { } path ? new Certificate(path, options.TlsKeyPath!, logger) : null;

        // Empty, not slim: what this server does is decided by its options alone, never by an appsettings.json or ASPNETCORE_ variable that lies about.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "hadal" });
        if (!overSocket)
            builder.Services.AddSingleton<IServer, InProcessServer>();
        else
            builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => Configure(kestrel, options, certificate));
        if (overSocket && certificate is not null)
            builder.WebHost.UseKestrelHttpsConfiguration();

        var services = builder.Services;
        services.AddRoutingCore();
        services.AddLogging();
        services.Replace(ServiceDescriptor.Singleton<ILoggerFactory>(new QuietLoggers(loggerFactory)));
        services.Configure<HostOptions>(host => host.ShutdownTimeout = options.DrainTimeout + TimeSpan.FromSeconds(5));

        var registry = new ModelRegistry(models, options, logger);
        var metrics = new ServerMetrics(registry);
        services.AddSingleton(options);
        services.AddSingleton(_ => registry); // by a factory, so that it is disposed with the application
        services.AddSingleton<Gatekeeper>();
        services.AddSingleton(_ => metrics);
        services.AddSingleton<ServerLifecycle>();
        services.AddHostedService(provider => provider.GetRequiredService<ServerLifecycle>());
        services.AddSingleton<GenerationPipeline>();
        services.AddOpenTelemetry().WithMetrics(otel => otel
            .AddMeter(ServerMetrics.MeterName)

            // Meters are found by name in the whole process; another server beside this one has its own.
            .AddView(instrument => instrument.Meter != metrics.Meter ? MetricStreamConfiguration.Drop : null)
            .AddPrometheusExporter(exporter => exporter.ScrapeResponseCacheDurationMilliseconds = 0));

        var app = builder.Build();
        app.UseMiddleware<ApiMiddleware>();
        app.UseRouting();
        Map(app);
        if (overSocket)
            app.Lifetime.ApplicationStarted.Register(() => LogListening(app, options, registry));
        return app;
    }

    private static void Map(WebApplication app)
    {
        var services = app.Services;
        var lifecycle = services.GetRequiredService<ServerLifecycle>();
        var options = services.GetRequiredService<HadalServerOptions>();
        var parts = new ServerParts(
            services.GetRequiredService<ModelRegistry>(), options, services.GetRequiredService<GenerationPipeline>(), lifecycle, services.GetRequiredService<ServerMetrics>(),
            new ResponseStore(options.MaxStoredResponses, options.MaxStoredResponseBytes));
        foreach (var route in ApiRoute.All)
            app.MapMethods(route.Pattern, [route.Method], route.Create(parts));
        app.MapGet("/health", new HealthEndpoint(lifecycle, parts.Models).InvokeAsync);
        app.MapGet("/version", VersionEndpoint.InvokeAsync);
        app.MapGet("/openapi.json", OpenApiEndpoint.InvokeAsync);

        // The exporter's own route answers any method.
        app.MapPrometheusScrapingEndpoint("/metrics").WithMetadata(new HttpMethodMetadata([HttpMethods.Get]));
    }

    private static void Configure(KestrelServerOptions kestrel, HadalServerOptions options, Certificate? certificate)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = options.MaxBodyBytes;
        kestrel.Limits.MaxRequestHeadersTotalSize = options.MaxHeaderBytes;
        kestrel.Limits.RequestHeadersTimeout = options.HeaderTimeout;
        kestrel.Limits.MinRequestBodyDataRate = new MinDataRate(options.MinBodyBytesPerSecond, TimeSpan.FromSeconds(5));
        if (options.Host is "*" or "0.0.0.0" or "::")
            kestrel.ListenAnyIP(options.Port, Secure);
        else if (IPAddress.TryParse(options.Host, out var address))
            kestrel.Listen(address, options.Port, Secure);
        else
            kestrel.ListenLocalhost(options.Port, Secure);

        void Secure(ListenOptions listen)
        {
            if (certificate is not null)
                listen.UseHttps(new HttpsConnectionAdapterOptions { ServerCertificateSelector = (_, _) => certificate.Current });
        }
    }

    private static void LogListening(WebApplication app, HadalServerOptions options, ModelRegistry registry)
    {
        var logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(HadalServer).FullName!);
        string urls = string.Join(", ", app.Urls);
        string models = string.Join(", ", registry.Sources.Select(source => source.Id));
        Log.Listening(logger, urls, models);
        if (options.HasKeys)
            return;
        if (Gatekeeper.IsLoopback(options.Host))
            Log.LoopbackOnly(logger);
        else
            Log.OpenToAll(logger, options.Host);
    }
}
