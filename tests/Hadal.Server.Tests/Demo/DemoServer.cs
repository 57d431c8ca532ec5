using Hadal.Demo;
using Hadal.Engine;
using Hadal.Formats.Chat;
using Hadal.Formats.Chat.Reasoning;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Tokenization;
using Hadal.Graph.Cpu;
using Hadal.Models.Loading;

namespace Hadal.Server.Tests.Demo;

/// <summary>The whole house over a socket: the bundled model, its tokenizer and template, the engine, the server. One for all tests of the class.</summary>
public class DemoServer : IAsyncLifetime
{
    private Checkpoint? _checkpoint;
    private ServerFixture? _server;
    private LlmEngine? _engine;

    internal ServerFixture Server => _server!;

    public LlmEngine Engine => _engine!;

    public ITokenizer Tokenizer { get; private set; } = null!;

    /// <summary>Null: without.</summary>
    protected virtual SpeculationOptions? Speculation => null;

    public async ValueTask InitializeAsync()
    {
        _checkpoint = DemoModel.Open();
        Tokenizer = CheckpointText.LoadTokenizer(_checkpoint);
        IChatTemplate? template = CheckpointText.LoadChatTemplate(_checkpoint);
        LoadedModel model = ModelLoader.Load(_checkpoint.Config, _checkpoint.Tensors, new LoadOptions
        {
            Cpu = new CpuOptions { Threads = 2 },
            KvMemoryBytes = 64 << 20,
            Mtp = Speculation?.Method == SpeculationMethod.Mtp,
        });
        _engine = new LlmEngine(model.Runner, new EngineOptions
        {
            EosTokenIds = _checkpoint.Config.EosTokenIds,
            CreateDecoder = skip => new StreamTextDecoder(Tokenizer, skip),
            Speculation = Speculation,
        });
        _server = await ServerFixture.StartAsync(new ServedModel
        {
            Id = DemoModel.Name,
            Engine = _engine,
            Tokenizer = Tokenizer,
            ChatTemplate = template,
            Config = _checkpoint.Config,
            Created = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000),
            ReasoningMarkers = ReasoningMarkers.Detect(Tokenizer, template),
        });
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        if (_engine is not null)
        {
            await _engine.DisposeAsync();
        }

        _checkpoint?.Dispose();
    }
}
