namespace Hadal.Engine;

/// <param name="PromptTokens">Tokens of the prompt.</param>
/// <param name="CompletionTokens">Tokens generated so far, over all choices the event speaks for.</param>
/// <param name="CachedTokens">Prompt tokens whose keys and values came from the prefix cache.</param>
public readonly record struct TokenUsage(int PromptTokens, int CompletionTokens, int CachedTokens)
{
    /// <summary>Of the completion tokens, those that speculation had guessed.</summary>
    public int AcceptedPredictionTokens { get; init; }

    /// <summary>Guesses that a step verified and that did not become tokens.</summary>
    public int RejectedPredictionTokens { get; init; }
}
