using Hadal.Engine;
using Hadal.Engine.Constraints;
using Hadal.Formats.Chat;
using Hadal.Formats.Chat.Reasoning;
using Hadal.Formats.Chat.Tools;
using Hadal.Formats.Config;
using Hadal.Formats.Tokenization;

namespace Hadal.Server;

/// <summary>A model as the API shows it. The engine stays its owner's: the server never disposes it.</summary>
public sealed record ServedModel
{
    private GrammarCompiler? _grammars;

    /// <summary>The <c>model</c> of requests and answers.</summary>
    public required string Id { get; init; }

    /// <summary>Further names under which requests may ask for it.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>Name of the LoRA adapter in the engine that this model is; null for a base model.</summary>
    public string? Adapter { get; init; }

    /// <summary>Id of the base model of an adapter.</summary>
    public string? Parent { get; init; }

    public required IEngine Engine { get; init; }

    public required ITokenizer Tokenizer { get; init; }

    /// <summary>Null for a base model: chat requests are refused then.</summary>
    public IChatTemplate? ChatTemplate { get; init; }

    public required ModelConfig Config { get; init; }

    public required DateTimeOffset Created { get; init; }

    /// <summary>Null for a model that does not think. <see cref="ReasoningMarkers.Detect"/> finds them.</summary>
    public ReasoningMarkers? ReasoningMarkers { get; init; }

    /// <summary>The model as it is, under its own id.</summary>
    public static ServedModel Of(LanguageModel model, DateTimeOffset created) => new()
    {
        Id = model.Id,
        Engine = model.Engine,
        Tokenizer = model.Tokenizer,
        ChatTemplate = model.ChatTemplate,
        Config = model.Config,
        Created = created,
        ReasoningMarkers = model.ReasoningMarkers,
        ToolCallFormat = model.ToolCallFormat,
    };

    /// <summary>The model as it is with one of its engine's adapters: a model of its own to clients, which share engine, pages and batches.</summary>
    public ServedModel WithAdapter(string name) => this with { Id = name, Aliases = [], Adapter = name, Parent = Id };

    /// <summary>How it writes tool calls; null where requests with tools are to be refused. <see cref="ToolCallFormat.Detect"/> finds it.</summary>
    public ToolCallFormat? ToolCallFormat { get; init; }

    /// <summary>Made when first asked for: most servers never see a request that needs it.</summary>
    internal GrammarCompiler Grammars => LazyInitializer.EnsureInitialized(
        ref _grammars, () => new GrammarCompiler(new TokenVocabulary(Tokenizer, Tokenizer.EosTokenId is { } eos ? [.. Config.EosTokenIds, eos] : Config.EosTokenIds)));
}
