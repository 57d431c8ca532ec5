namespace Hadal.Cli.Bench;

/// <param name="Kind">prefill or decode.</param>
/// <param name="Batch">Sequences at once.</param>
/// <param name="Depth">Tokens in the pages before it began.</param>
/// <param name="Tokens">Tokens computed a repetition, over all sequences.</param>
/// <param name="TokensPerSecond">Median over the repetitions.</param>
/// <param name="BestTokensPerSecond">Best of them.</param>
/// <param name="MillisecondsPerStep">Median.</param>
/// <param name="BandwidthShare">Decode at batch 1: weight bytes read a second, as a share of the bandwidth measured in this run.</param>
internal sealed record BenchCase(string Kind, int Batch, int Depth, int Tokens, double TokensPerSecond, double BestTokensPerSecond, double MillisecondsPerStep, double? BandwidthShare);
