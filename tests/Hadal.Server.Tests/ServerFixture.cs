using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Hadal.Formats.Chat.Reasoning;
using Hadal.Formats.Config;
using Hadal.Server.Tests.Fakes;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hadal.Server.Tests;

/// <summary>A server on a free port over any model, and a client for it. The socket is real.</summary>
internal sealed class ServerFixture : IAsyncDisposable
{
    private ServerFixture(WebApplication app)
    {
        App = app;
        BaseAddress = new Uri(app.Urls.Single());
        Client = new HttpClient { BaseAddress = BaseAddress };
    }

    public WebApplication App { get; }

    public Uri BaseAddress { get; }

    public HttpClient Client { get; }

    public static Task<ServerFixture> StartAsync(ServedModel model, Func<HadalServerOptions, HadalServerOptions>? configure = null, ILoggerFactory? loggers = null)
        => StartAsync([model], configure, loggers);

    public static async Task<ServerFixture> StartAsync(ServedModel[] models, Func<HadalServerOptions, HadalServerOptions>? configure = null, ILoggerFactory? loggers = null)
    {
        var options = new HadalServerOptions { Port = 0, DrainTimeout = TimeSpan.FromMilliseconds(200) };
        var app = HadalServer.Build(configure?.Invoke(options) ?? options, models, loggers ?? NullLoggerFactory.Instance);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return new ServerFixture(app);
    }

    public static async Task<ServerFixture> StartAsync(IReadOnlyList<ModelSource> models, Func<HadalServerOptions, HadalServerOptions>? configure = null, ILoggerFactory? loggers = null)
    {
        var options = new HadalServerOptions { Port = 0, DrainTimeout = TimeSpan.FromMilliseconds(200) };
        var app = HadalServer.Build(configure?.Invoke(options) ?? options, models, loggers ?? NullLoggerFactory.Instance);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return new ServerFixture(app);
    }

    public static Task<ServerFixture> StartAsync(ScriptedEngine engine, Func<HadalServerOptions, HadalServerOptions>? configure = null) => StartAsync(Toy(engine), configure);

    public static ServedModel Toy(Hadal.Engine.IEngine engine, ToyTemplate? template = null) => new()
    {
        Id = "toy/model",
        Aliases = ["toy"],
        Engine = engine,
        Tokenizer = new ToyTokenizer(),
        ChatTemplate = template ?? new ToyTemplate(),
        ReasoningMarkers = ReasoningMarkers.Detect(new ToyTokenizer(), template ?? new ToyTemplate()),
        Created = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000),
        Config = new ModelConfig
        {
            ModelType = "deepseek_v3",
            VocabSize = 262,
            HiddenSize = 8,
            IntermediateSize = 8,
            NumHiddenLayers = 1,
            NumAttentionHeads = 1,
            NumKeyValueHeads = 1,
            HeadDim = 8,
            MaxPositionEmbeddings = 512,
            RmsNormEps = 1e-6f,
            Rope = new RopeConfig { Type = RopeType.Default, Theta = 10_000, Interleaved = true },
            DefaultTemperature = 0.6f,
            DefaultTopP = 0.95f,
        },
    };

    public static int[] Ids(string text) => new ToyTokenizer().Encode(text);

    public async Task<HttpResponseMessage> PostAsync(string path, string json) => await PostAsync(path, Encoding.UTF8.GetBytes(json));

    public async Task<HttpResponseMessage> PostAsync(string path, byte[] body, string contentType = "application/json")
    {
        using var content = new ByteArrayContent(body);
        content.Headers.ContentType = MediaTypeHeaderValue.Parse(contentType);
        return await Client.PostAsync(new Uri(path, UriKind.Relative), content, TestContext.Current.CancellationToken);
    }

    /// <summary>Posts, and gives the parsed answer with its status.</summary>
    public async Task<(int Status, JsonElement Body)> SendAsync(string path, string json)
    {
        using var response = await PostAsync(path, json);
        using var document = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        return ((int)response.StatusCode, document.RootElement.Clone());
    }

    public async Task<string> GetTextAsync(string path) => await Client.GetStringAsync(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken);

    /// <summary>Waits for something that other threads bring about; fails after ten seconds.</summary>
    public static async Task UntilAsync(Func<Task<bool>> condition)
    {
        for (int i = 0; i < 1000 && !await condition(); i++)
            await Task.Delay(10, TestContext.Current.CancellationToken);
        Assert.True(await condition(), "What was waited for did not come about within ten seconds.");
    }

    public static Task UntilAsync(Func<bool> condition) => UntilAsync(() => Task.FromResult(condition()));

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await App.DisposeAsync();
    }
}
