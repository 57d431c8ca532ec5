namespace Hadal.Cli.Verbs;

/// <param name="Model">Name of the model.</param>
/// <param name="Text">The answer.</param>
/// <param name="FinishReason">stop, length or cancelled.</param>
/// <param name="PromptTokens">Tokens of the prompt.</param>
/// <param name="CompletionTokens">Tokens of the answer.</param>
/// <param name="FirstTokenMs">From the request to the first token.</param>
/// <param name="TokensPerSecond">Of the tokens after the first; absent for fewer than two.</param>
internal sealed record RunReport(string Model, string Text, string FinishReason, int PromptTokens, int CompletionTokens, double FirstTokenMs, double? TokensPerSecond)
{
    /// <summary>Guesses of speculation that became tokens; absent where none was made.</summary>
    public int? AcceptedPredictionTokens { get; init; }

    public int? RejectedPredictionTokens { get; init; }
}
