namespace Hadal.Engine;

/// <summary>A text in tokens, and what vector to make of it.</summary>
public sealed record EmbeddingRequest
{
    /// <summary>For logs and metrics; unique by the caller's care.</summary>
    public required string Id { get; init; }

    public required IReadOnlyList<int> Tokens { get; init; }

    /// <summary>Name of the LoRA adapter to compute with; null for the base model.</summary>
    public string? Adapter { get; init; }

    /// <summary>As <see cref="GenerationRequest.Priority"/>.</summary>
    public int Priority { get; init; }

    /// <summary>As <see cref="GenerationRequest.Tenant"/>.</summary>
    public string Tenant { get; init; } = "";

    public Pooling Pooling { get; init; } = Pooling.Mean;

    /// <summary>Scale the vector to length 1, after <see cref="Dimensions"/> has cut it.</summary>
    public bool Normalize { get; init; } = true;

    /// <summary>Keep the first so many elements; null for all. Only models trained for it (Matryoshka) lose little by that.</summary>
    public int? Dimensions { get; init; }
}
