namespace Hadal.Cli.Bench.Serving;

/// <param name="Text">What the user says.</param>
/// <param name="OutputTokens">Tokens of the answer to ask for; null leaves it to the server.</param>
internal sealed record BenchPrompt(string Text, int? OutputTokens);
