using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Hadal.Demo;
using Hadal.Engine;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Hadal.Extensions.AI.Tests;

[Collection("one model")] // In turn: they count what it does.
public sealed class HostingTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AddHadal_Host_LoadsAnswersAndDisposes(bool atStart)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddHadal(o => Demo(o).LoadAtStart = atStart);
        builder.Services.AddHadal(o => Demo(o).ModelId = "second", serviceKey: "two");
        using (IHost host = builder.Build())
        {
            await host.StartAsync(Ct);
            IChatClient client = host.Services.GetRequiredService<IChatClient>(), second = host.Services.GetRequiredKeyedService<IChatClient>("two");
            Assert.Contains("19", (await client.GetResponseAsync("What is 12 + 7?", new ChatOptions { Temperature = 0 }, Ct)).Text, StringComparison.Ordinal);
            Assert.Equal("second", (await second.GetResponseAsync("Hi", new ChatOptions { MaxOutputTokens = 3 }, Ct)).ModelId);
            Assert.Equal(["hadal-demo", "second"], host.Services.GetServices<ILanguageModelSource>().Select(s => s.ModelId));
            LanguageModel loaded = await host.Services.GetServices<ILanguageModelSource>().First().GetAsync(Ct);
            await host.StopAsync(Ct);
            await Assert.ThrowsAsync<ObjectDisposedException>(async () =>
            {
                host.Dispose();
                await foreach (GenerationEvent _ in loaded.Engine.GenerateAsync(new GenerationRequest { Id = "x", PromptTokens = [1] }, Ct))
                {
                }
            });
        }
    }

    [Fact]
    public async Task AddHadal_ModelThatIsNotThere_FailsEveryCallAndSaysSoOnce()
    {
        var log = new LogLines();
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.AddProvider(log);
        builder.Services.AddHadal(o => o.ModelPath = "/no/such/folder");
        using IHost host = builder.Build();
        await host.StartAsync(Ct);
        IChatClient client = host.Services.GetRequiredService<IChatClient>();

        for (int i = 0; i < 2; i++)
        {
            Exception e = await Assert.ThrowsAnyAsync<Exception>(() => client.GetResponseAsync("x", cancellationToken: Ct));
            Assert.Contains("/no/such/folder", e.Message, StringComparison.Ordinal);
        }

        Assert.Single(log.Lines, l => l.Contains("cannot be loaded", StringComparison.Ordinal));
    }

    [Fact]
    public void AddHadal_WithoutOrWithTwoModels_IsRefused()
    {
        var services = new ServiceCollection();
        Assert.Throws<ArgumentException>(() => services.AddHadal(_ => { }));
        Assert.Throws<ArgumentException>(() => services.AddHadal(o => o.OpenCheckpoint = DemoModel.Open));
        Assert.Throws<ArgumentException>(() => services.AddHadal(o => Demo(o).ModelPath = "x"));
    }

    [Fact]
    public async Task MapHadalOpenAI_OnAnApplication_ServesTheModel()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddHadal(o => Demo(o));
        await using WebApplication app = builder.Build();
        app.MapGet("/", () => "mine");
        app.MapHadalOpenAI(new Hadal.Server.HadalServerOptions { ApiKeys = ["secret"] });
        await app.StartAsync(Ct);
        var address = new Uri(app.Urls.Single());
        using var http = new HttpClient { BaseAddress = address };

        Assert.Equal("mine", await http.GetStringAsync(new Uri("/", UriKind.Relative), Ct));
        Assert.Equal(HttpStatusCode.Unauthorized, (await http.GetAsync(new Uri("/v1/models", UriKind.Relative), Ct)).StatusCode);
        using var client = new HadalHttpChatClient(new Uri(address, "/v1"), DemoModel.Name, "secret");
        Assert.Contains("19", (await client.GetResponseAsync("What is 12 + 7?", new ChatOptions { Temperature = 0 }, Ct)).Text, StringComparison.Ordinal);
        Assert.Contains("19", (await client.GetStreamingResponseAsync("What is 12 + 7?", new ChatOptions { Temperature = 0 }, Ct).ToChatResponseAsync(Ct)).Text, StringComparison.Ordinal);
        http.DefaultRequestHeaders.Add("Authorization", "Bearer secret");
        JsonElement models = await http.GetFromJsonAsync<JsonElement>(new Uri("/v1/models", UriKind.Relative), Ct);
        Assert.Equal("hadal-demo", models.GetProperty("data")[0].GetProperty("id").GetString());
        await app.StopAsync(Ct);
    }

    [Fact]
    public void MapHadalOpenAI_WithoutAModel_SaysWhatIsMissing()
    {
        WebApplication app = WebApplication.CreateSlimBuilder().Build();
        Assert.Contains("AddHadal", Assert.Throws<InvalidOperationException>(() => app.MapHadalOpenAI()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AddHadal_Telemetry_FollowsTheGenAiConventions()
    {
        var activities = new List<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == HadalTelemetry.SourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity =>
            {
                lock (activities)
                    activities.Add(activity);
            },
        };
        ActivitySource.AddActivityListener(listener);
        var metrics = new Dictionary<string, List<KeyValuePair<string, object?>[]>>();
        using var meters = new MeterListener
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (instrument.Meter.Name == HadalTelemetry.SourceName)
                    l.EnableMeasurementEvents(instrument);
            },
        };
        void Keep(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            lock (metrics)
            {
                if (!metrics.TryGetValue(instrument.Name, out var list))
                    metrics.Add(instrument.Name, list = []);
                list.Add(tags.ToArray());
            }
        }

        meters.SetMeasurementEventCallback<double>((i, _, tags, _) => Keep(i, tags));
        meters.SetMeasurementEventCallback<int>((i, _, tags, _) => Keep(i, tags));
        meters.Start();
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddHadal(o => Demo(o).ModelId = "observed");
        using (IHost host = builder.Build())
            await host.Services.GetRequiredService<IChatClient>().GetStreamingResponseAsync("What is 12 + 7?", new ChatOptions { Temperature = 0, MaxOutputTokens = 12 }, Ct).ToListAsync(Ct);

        Activity chat;
        lock (activities)
            chat = activities.Single(a => (string?)a.GetTagItem("gen_ai.request.model") == "observed");
        Assert.Equal("chat observed", chat.DisplayName);
        Assert.Equal("hadal", chat.GetTagItem("gen_ai.provider.name"));
        Assert.Equal(12, Convert.ToInt32(chat.GetTagItem("gen_ai.usage.output_tokens")));
        Assert.DoesNotContain(chat.TagObjects, t => t.Value is string s && s.Contains("12 + 7", StringComparison.Ordinal));
        lock (metrics)
        {
            foreach (string name in new[] { "gen_ai.client.operation.duration", "gen_ai.client.token.usage", "gen_ai.server.request.duration", "gen_ai.server.time_to_first_token", "gen_ai.server.time_per_output_token" })
            {
                KeyValuePair<string, object?>[] tags = metrics[name].First(t => t.Any(p => p is { Key: "gen_ai.request.model", Value: "observed" }));
                Assert.Contains(tags, t => t is { Key: "gen_ai.operation.name", Value: "chat" });
                Assert.Contains(tags, t => t is { Key: "gen_ai.provider.name", Value: "hadal" });
            }
        }
    }

    private static HadalOptions Demo(HadalOptions options)
    {
        options.OpenCheckpoint = DemoModel.Open;
        options.ModelId = DemoModel.Name;
        options.Model = DemoFixture.Options;
        return options;
    }

    private sealed class LogLines : ILoggerProvider, ILogger
    {
        public List<string> Lines { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (Lines)
                Lines.Add(formatter(state, exception));
        }

        public void Dispose()
        {
        }
    }
}
