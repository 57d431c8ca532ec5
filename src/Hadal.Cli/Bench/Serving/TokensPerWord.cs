namespace Hadal.Cli.Bench.Serving;

/// <summary>
/// What words cost in the server's own tokens, as its usage said: a prompt of w words has Overhead + w · Slope. Measured over the API, so that
/// no tokenizer is needed here and any server can be asked.
/// </summary>
/// <param name="Overhead">Tokens of the chat template around the words.</param>
/// <param name="Slope">Tokens a word.</param>
internal readonly record struct TokensPerWord(double Overhead, double Slope)
{
    /// <summary>For a server that reports no usage.</summary>
    public static TokensPerWord Unknown { get; } = new(0, 1);

    /// <returns>Null where two measurements make no line.</returns>
    public static TokensPerWord? Through(int words1, int tokens1, int words2, int tokens2)
    {
        double slope = (tokens2 - tokens1) / (double)(words2 - words1);
        return double.IsFinite(slope) && slope > 0 ? new TokensPerWord(Math.Max(0, tokens1 - slope * words1), slope) : null;
    }

    public int WordsFor(int tokens) => Math.Max(1, (int)Math.Round((tokens - Overhead) / Slope));

    public int TokensFor(int words) => Math.Max(1, (int)Math.Round(words * Slope));
}
