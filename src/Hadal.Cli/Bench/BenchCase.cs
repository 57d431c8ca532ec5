using System.Text.Json.Serialization;

namespace Hadal.Cli.Bench;

/// <param name="Kind">prefill or decode.</param>
/// <param name="Batch">Sequences at once.</param>
/// <param name="Depth">Tokens in the pages before it began.</param>
/// <param name="Tokens">Tokens computed a repetition, over all sequences.</param>
/// <param name="TokensPerSecond">Median over the repetitions.</param>
/// <param name="BestTokensPerSecond">Best of them.</param>
/// <param name="MillisecondsPerStep">Median.</param>
/// <param name="ReadBandwidth">Decode: what the machine read right before and right after, their mean, in GB/s: on a shared host it moves within minutes.</param>
/// <param name="BandwidthShare">Decode at batch 1: weight bytes read a second, as a share of that.</param>
internal sealed record BenchCase(
    string Kind,
    int Batch,
    int Depth,
    int Tokens,
    double TokensPerSecond,
    double BestTokensPerSecond,
    double MillisecondsPerStep,
    [property: JsonPropertyName("read_bandwidth_gb_per_s")] double? ReadBandwidth,
    double? BandwidthShare);
