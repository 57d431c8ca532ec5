using Hadal.Engine.Constraints;

namespace Hadal.Engine;

/// <summary>A prompt in tokens, and how to answer it.</summary>
public sealed record GenerationRequest
{
    /// <summary>For logs and metrics; unique by the caller's care.</summary>
    public required string Id { get; init; }

    public required IReadOnlyList<int> PromptTokens { get; init; }

    /// <summary>Name of the LoRA adapter to answer with; null for the base model.</summary>
    public string? Adapter { get; init; }

    public SamplingParams Sampling { get; init; } = new();

    /// <summary>Class in the queue: the lower, the sooner it starts; 0 for the ordinary. Waiting makes a request more urgent (<see cref="EngineOptions.AgeingInterval"/>).</summary>
    public int Priority { get; init; }

    /// <summary>Whose request it is: those who wait in one class share the engine evenly, counted in tokens. An API key's name, a user; never shown.</summary>
    public string Tenant { get; init; } = "";

    /// <summary>From the admission to the last token; when it is over the reader gets <see cref="DeadlineExceededException"/>. Null for no limit.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Makes the constraint of one choice; called once for each before it starts. Null: any token may come anywhere.</summary>
    public Func<ITokenConstraint>? CreateConstraint { get; init; }
}
