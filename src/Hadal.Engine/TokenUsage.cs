namespace Hadal.Engine;

/// <param name="PromptTokens">Tokens of the prompt.</param>
/// <param name="CompletionTokens">Tokens generated so far, over all choices the event speaks for.</param>
/// <param name="CachedTokens">Prompt tokens whose keys and values came from the prefix cache.</param>
public readonly record struct TokenUsage(int PromptTokens, int CompletionTokens, int CachedTokens);
