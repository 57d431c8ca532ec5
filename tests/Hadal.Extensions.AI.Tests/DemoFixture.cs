using Hadal.Demo;
using Hadal.Engine;
using Hadal.Formats.Chat.Tools;
using Hadal.Graph.Cpu;
using Hadal.Models.Loading;
using Hadal.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hadal.Extensions.AI.Tests;

/// <summary>The bundled model within the process, and the same one behind a server on a free port. One for all tests.</summary>
public sealed class DemoFixture : IAsyncLifetime
{
    private WebApplication? _server;

    public static HadalModelOptions Options { get; } = new()
    {
        Load = new LoadOptions { Cpu = new CpuOptions { Threads = 2 }, KvMemoryBytes = 256 << 20 },
        Engine = new EngineOptions { MaxRunning = 64 },
        ToolCallFormat = ToolCallFormat.Hermes,
    };

    public HadalModel Model { get; private set; } = null!;

    public Uri Endpoint { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Model = HadalModel.Load(DemoModel.Open(), DemoModel.Name, Options);
        _server = HadalServer.Build(new HadalServerOptions { Port = 0 }, [ServedModel.Of(Model.Model, TimeProvider.System.GetUtcNow())], NullLoggerFactory.Instance);
        await _server.StartAsync();
        Endpoint = new Uri(new Uri(_server.Urls.Single()), "/v1");
    }

    public IChatClient Client(bool overHttp) => overHttp ? new HadalHttpChatClient(Endpoint, DemoModel.Name) : Model.AsChatClient();

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync();
        await Model.DisposeAsync();
    }
}
