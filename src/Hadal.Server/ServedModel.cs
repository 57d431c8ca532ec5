using Hadal.Engine;
using Hadal.Formats.Chat;
using Hadal.Formats.Config;
using Hadal.Formats.Tokenization;

namespace Hadal.Server;

/// <summary>A model as the API shows it. The engine stays its owner's: the server never disposes it.</summary>
public sealed record ServedModel
{
    /// <summary>The <c>model</c> of requests and answers.</summary>
    public required string Id { get; init; }

    /// <summary>Further names under which requests may ask for it.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    public required IEngine Engine { get; init; }

    public required ITokenizer Tokenizer { get; init; }

    /// <summary>Null for a base model: chat requests are refused then.</summary>
    public IChatTemplate? ChatTemplate { get; init; }

    public required ModelConfig Config { get; init; }

    public required DateTimeOffset Created { get; init; }

    /// <summary>Null for a model that does not think. <see cref="ReasoningMarkers.Detect"/> finds them.</summary>
    public ReasoningMarkers? ReasoningMarkers { get; init; }
}
