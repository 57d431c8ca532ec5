using System.Net;
using Hadal.Numerics;
using Hadal.Server.Endpoints;
using Hadal.Server.Generation;
using Hadal.Server.Http;
using Hadal.Server.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
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
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(models);
        ArgumentNullException.ThrowIfNull(loggerFactory);
        Validate(options);

        // Empty, not slim: what this server does is decided by its options alone, never by an appsettings.json or ASPNETCORE_ variable that lies about.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "hadal" });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => Configure(kestrel, options));

        var services = builder.Services;
        services.AddRoutingCore();
        services.AddLogging();
        services.Replace(ServiceDescriptor.Singleton(loggerFactory));
        services.Configure<HostOptions>(host => host.ShutdownTimeout = options.DrainTimeout + TimeSpan.FromSeconds(5));

        var registry = new ModelRegistry(models);
        var metrics = new ServerMetrics(registry);
        services.AddSingleton(options);
        services.AddSingleton(registry);
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
        app.Lifetime.ApplicationStarted.Register(() => LogListening(app, options, registry));
        return app;
    }

    private static void Map(WebApplication app)
    {
        var services = app.Services;
        var registry = services.GetRequiredService<ModelRegistry>();
        var options = services.GetRequiredService<HadalServerOptions>();
        var pipeline = services.GetRequiredService<GenerationPipeline>();

        app.MapPost("/v1/chat/completions", new ChatCompletionsEndpoint(registry, options, pipeline).InvokeAsync);
        app.MapPost("/v1/completions", new CompletionsEndpoint(registry, options, pipeline).InvokeAsync);
        var models = new ModelsEndpoint(registry);
        app.MapGet("/v1/models", models.ListAsync);

        // Catch-all: ids of the form owner/name have slashes.
        app.MapGet("/v1/models/{**id}", models.GetAsync);
        app.MapPost("/tokenize", new TokenizeEndpoint(registry).InvokeAsync);
        app.MapPost("/detokenize", new DetokenizeEndpoint(registry).InvokeAsync);
        app.MapGet("/health", new HealthEndpoint(services.GetRequiredService<ServerLifecycle>()).InvokeAsync);
        app.MapGet("/version", VersionEndpoint.InvokeAsync);
        app.MapPrometheusScrapingEndpoint("/metrics");
    }

    private static void Configure(KestrelServerOptions kestrel, HadalServerOptions options)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = options.MaxBodyBytes;
        if (options.Host is "*" or "0.0.0.0" or "::")
            kestrel.ListenAnyIP(options.Port);
        else if (IPAddress.TryParse(options.Host, out var address))
            kestrel.Listen(address, options.Port);
        else
            kestrel.ListenLocalhost(options.Port);
    }

    private static void Validate(HadalServerOptions options)
    {
        if (options.Host is not ("*" or "localhost") && !IPAddress.TryParse(options.Host, out _))
            throw new HadalException($"Host is '{options.Host}'; an IP address, localhost or * is expected.");
        if (options.Port is < 0 or > 65535)
            throw new HadalException($"Port is {options.Port}; 0 (any free one) to 65535 is expected.");
        if (options.Host == "localhost" && options.Port == 0)
            throw new HadalException("Port 0 needs an IP address as Host: localhost is two addresses, which would get different ports.");
        if (options.MaxBodyBytes < 1 || options.MaxN < 1 || options.DrainTimeout < TimeSpan.Zero)
            throw new HadalException($"MaxBodyBytes is {options.MaxBodyBytes}, MaxN is {options.MaxN}, DrainTimeout is {options.DrainTimeout}; the first two must be at least 1, the last not negative.");
        if (options.ApiKeys.Any(string.IsNullOrWhiteSpace))
            throw new HadalException("One of the API keys is empty, which would let everybody in.");
    }

    private static void LogListening(WebApplication app, HadalServerOptions options, ModelRegistry registry)
    {
        var logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(HadalServer).FullName!);
        string urls = string.Join(", ", app.Urls);
        string models = string.Join(", ", registry.Models.Select(model => model.Id));
        Log.Listening(logger, urls, models);
        bool isLoopback = options.Host == "localhost" || IPAddress.TryParse(options.Host, out var address) && IPAddress.IsLoopback(address);
        if (!isLoopback && options.ApiKeys.Count == 0)
            Log.OpenToAll(logger, options.Host);
    }
}
