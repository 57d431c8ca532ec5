using Hadal.Engine;
using Hadal.Formats.Chat;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Config;
using Hadal.Formats.Tokenization;
using Hadal.Numerics;

namespace Hadal.Cli.Session;

/// <summary>A loaded model with tokenizer, template and engine: what <c>run</c> and <c>serve</c> talk to.</summary>
internal sealed class EngineSession : IAsyncDisposable
{
    private readonly ModelSession _model;

    public EngineSession(ModelSession model, EngineOptions options)
    {
        _model = model;
        Checkpoint checkpoint = model.Checkpoint
            ?? throw new HadalException("Synthetic weights have no tokenizer and nothing to say; measure them with hadal bench.");
        Tokenizer = CheckpointText.LoadTokenizer(checkpoint);
        Template = CheckpointText.LoadChatTemplate(checkpoint);
        EosTokenIds = EndTokens(model.Config, Tokenizer);
        Engine = new LlmEngine(model.Runner, options with
        {
            EosTokenIds = EosTokenIds,
            CreateDecoder = skipSpecial => new StreamTextDecoder(Tokenizer, skipSpecial),
        });
    }

    public string Name => _model.Name;

    public ModelConfig Config => _model.Config;

    public ITokenizer Tokenizer { get; }

    /// <summary>Null where the model has none: it completes text and does not chat.</summary>
    public IChatTemplate? Template { get; }

    public IReadOnlyList<int> EosTokenIds { get; }

    public LlmEngine Engine { get; }

    /// <summary>Tokens that the KV pages hold.</summary>
    public long KvTokens => (long)_model.Runner.NumBlocks * _model.Runner.BlockSize;

    public async ValueTask DisposeAsync()
    {
        await Engine.DisposeAsync().ConfigureAwait(false);
        _model.Dispose();
    }

    private static List<int> EndTokens(ModelConfig config, ITokenizer tokenizer)
    {
        List<int> ids = [.. config.EosTokenIds];
        if (tokenizer.EosTokenId is { } eos && !ids.Contains(eos))
        {
            ids.Add(eos);
        }

        return ids;
    }
}
