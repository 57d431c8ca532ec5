namespace Hadal.Graph.Execution;

/// <summary>A runner that keeps, for every token of a step, the hidden state after the final norm: what the head makes logits of, and what embeddings are pooled from.</summary>
public interface IHiddenStateRunner : IModelRunner
{
    /// <summary>D: columns of a hidden state.</summary>
    int HiddenSize { get; }

    /// <summary>Hidden states of the last step.</summary>
    /// <param name="firstToken">Index into the step's tokens.</param>
    /// <param name="count">How many tokens.</param>
    /// <returns>[count, HiddenSize] float32, valid until the next call of anything here.</returns>
    ReadOnlySpan<float> FetchHidden(int firstToken, int count);
}
