namespace Hadal.Engine.Embedding;

/// <summary>What is to become of a prompt's hidden states, checked.</summary>
internal sealed record EmbeddingWish(Pooling Pooling, bool Normalize, int Dimensions);
