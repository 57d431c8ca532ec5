using Hadal.Engine.Constraints;
using Hadal.Formats.Chat;
using Hadal.Formats.Chat.Reasoning;
using Hadal.Formats.Chat.Tools;
using Hadal.Formats.Config;
using Hadal.Formats.Tokenization;

namespace Hadal.Engine;

/// <summary>An engine, and what makes tokens of a conversation and text of an answer: what clients and servers talk to. The engine stays its owner's.</summary>
public sealed record LanguageModel
{
    private GrammarCompiler? _grammars;

    /// <summary>What it is called where a model has a name.</summary>
    public required string Id { get; init; }

    public required IEngine Engine { get; init; }

    public required ITokenizer Tokenizer { get; init; }

    /// <summary>Null for a base model: it completes text and does not chat.</summary>
    public IChatTemplate? ChatTemplate { get; init; }

    public required ModelConfig Config { get; init; }

    /// <summary>Null for a model that does not think.</summary>
    public ReasoningMarkers? ReasoningMarkers { get; init; }

    /// <summary>How it writes tool calls; null where nothing shows how.</summary>
    public ToolCallFormat? ToolCallFormat { get; init; }

    /// <summary>Grammars over its vocabulary. Made when first asked for: most never are.</summary>
    public GrammarCompiler Grammars => LazyInitializer.EnsureInitialized(
        ref _grammars, () => new GrammarCompiler(new TokenVocabulary(Tokenizer, Tokenizer.EosTokenId is { } eos ? [.. Config.EosTokenIds, eos] : Config.EosTokenIds)));
}
