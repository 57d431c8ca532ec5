namespace Hadal.Engine;

/// <param name="Vector">The embedding.</param>
/// <param name="Usage">Tokens of the text, and how many of them came from the prefix cache.</param>
public sealed record EmbeddingResult(float[] Vector, TokenUsage Usage);
