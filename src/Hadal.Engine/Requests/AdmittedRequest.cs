using Hadal.Engine.Constraints;
using Hadal.Engine.Embedding;
using Hadal.Engine.Stopping;

namespace Hadal.Engine.Requests;

/// <summary>A request that passed every check, with what was worked out on the way.</summary>
internal sealed record AdmittedRequest
{
    public required string Id { get; init; }

    public required int[] PromptTokens { get; init; }

    public required SamplingParams Parameters { get; init; }

    public required int MaxTokens { get; init; }

    public required int[] EndIds { get; init; }

    public required StopStrings? StopStrings { get; init; }

    public required Func<bool, ITextDecoder>? CreateDecoder { get; init; }

    public required Func<ITokenConstraint>? CreateConstraint { get; init; }

    public required ulong Seed { get; init; }

    public int Priority { get; init; }

    public string Tenant { get; init; } = "";

    public TimeSpan? Timeout { get; init; }

    /// <summary>Number of the adapter, as the runner has them; 0 for none.</summary>
    public int Adapter { get; init; }

    /// <summary>Set where the prompt's hidden states are wanted instead of an answer.</summary>
    public EmbeddingWish? Embedding { get; init; }
}
