namespace Hadal.Engine;

/// <summary>A prompt in tokens, and how to answer it.</summary>
public sealed record GenerationRequest
{
    /// <summary>For logs and metrics; unique by the caller's care.</summary>
    public required string Id { get; init; }

    public required IReadOnlyList<int> PromptTokens { get; init; }

    public SamplingParams Sampling { get; init; } = new();
}
