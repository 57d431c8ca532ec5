using System.CommandLine;
using Hadal.Engine;
using Hadal.Formats.Chat;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Config;
using Hadal.Formats.Lora;
using Hadal.Formats.Tokenization;
using Hadal.Numerics;

namespace Hadal.Cli.Session;

/// <summary>A loaded model with tokenizer, template and engine: what <c>run</c> and <c>serve</c> talk to.</summary>
internal sealed partial class EngineSession : IAsyncDisposable
{
    private readonly ModelSession _model;
    private readonly DraftModel? _draft;

    /// <param name="model">The model; disposed with this.</param>
    /// <param name="options">The engine's, without what the model decides.</param>
    /// <param name="draft">The draft model that the options name; disposed with this.</param>
    public EngineSession(ModelSession model, EngineOptions options, DraftModel? draft = null)
    {
        _model = model;
        _draft = draft;
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

    /// <summary>Loads the model with the adapters of <c>--lora</c> and with what speculation needs of it, and the draft model where one is named.</summary>
    public static EngineSession Load(ModelOptions model, SpeculationArguments? speculation, LoraOption? lora, ParseResult parsed, EngineOptions options, int maxSequences, CancellationToken cancellationToken, Action<ModelSession>? check = null, string? path = null)
    {
        List<LoraFile> adapters = lora?.Open(parsed) ?? [];
        ModelSession session;
        try
        {
            session = ModelSession.Load(model, parsed, cancellationToken, (_, load) =>
            {
                load = load with { MaxSequences = maxSequences, Adapters = adapters };
                return speculation?.Adjust(parsed, load) ?? load;
            }, path);
        }
        finally
        {
            adapters.ForEach(f => f.Dispose());
        }

        DraftModel? draft = null;
        try
        {
            check?.Invoke(session);
            SpeculationOptions? speculate = null;
            if (speculation is not null)
            {
                (speculate, draft) = speculation.Open(parsed, model, session, cancellationToken);
            }

            return new EngineSession(session, options with { Speculation = speculate }, draft);
        }
        catch
        {
            session.Dispose();
            draft?.Runner.Dispose();
            draft?.Dispose();
            throw;
        }
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
        _draft?.Dispose();
    }

    internal static List<int> EndTokens(ModelConfig config, ITokenizer tokenizer)
    {
        List<int> ids = [.. config.EosTokenIds];
        if (tokenizer.EosTokenId is { } eos && !ids.Contains(eos))
        {
            ids.Add(eos);
        }

        return ids;
    }
}
