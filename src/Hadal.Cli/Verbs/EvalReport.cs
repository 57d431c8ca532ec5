namespace Hadal.Cli.Verbs;

/// <param name="Model">Name of the model.</param>
/// <param name="Nll">Mean negative log-likelihood of a token, in nats.</param>
/// <param name="Perplexity">exp(Nll).</param>
/// <param name="Tokens">Tokens predicted.</param>
/// <param name="Rows">Texts, each predicted alone.</param>
/// <param name="Seconds">Time it took, without loading.</param>
/// <param name="TokensPerSecond">Tokens / Seconds.</param>
internal sealed record EvalReport(string Model, double Nll, double Perplexity, long Tokens, int Rows, double Seconds, double TokensPerSecond);
