namespace Hadal.Cli.Bench;

/// <param name="Tokens">The prompt, rendered.</param>
/// <param name="Answer">What the answer must be, where it is known.</param>
internal sealed record BenchPrompt(int[] Tokens, string? Answer);
