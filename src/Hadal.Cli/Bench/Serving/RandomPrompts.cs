using System.Text;

namespace Hadal.Cli.Bench.Serving;

/// <summary>
/// Prompts of random words, all different from their first word on, so that no cache of prompt beginnings helps; but for those words that
/// were asked to be shared.
/// </summary>
internal sealed class RandomPrompts(int seed, TokensPerWord cost, int inputTokens, int outputTokens, double rangeRatio, int sharedTokens) : IPromptSource
{
    private static readonly string[] _words = ("the of and to in is you that it he was for on are as with his they at be this have from or one had by word but not what all were we when your can said " +
        "there use an each which she do how their if will up other about out many then them these so some her would make like him into time has look two more write go see number no way could people my than first " +
        "water been call who oil its now find long down day did get come made may part over new sound take only little work know place year live me back give most very after thing our just name good sentence man " +
        "think say great where help through much before line right too mean old any same tell boy follow came want show also around form three small set put end does another well large must big even such because " +
        "turn here why ask went men read need land different home us move try kind hand picture again change off play spell air away animal house point page letter mother answer found study still learn should").Split(' ');

    private readonly string _shared = sharedTokens > 0 ? Words(new Random(seed), Math.Max(1, (int)Math.Round(sharedTokens / cost.Slope))) + " " : "";

    public BenchPrompt Get(long index)
    {
        // The index first: seeds that differ by one give unlike sequences, and the same seed the same ones on every run.
        var random = new Random(HashCode(seed, index));
        int input = Spread(random, inputTokens), output = Spread(random, outputTokens);
        int words = Math.Max(1, cost.WordsFor(input) - (sharedTokens > 0 ? (int)Math.Round(sharedTokens / cost.Slope) : 0));
        return new BenchPrompt(_shared + Words(random, words), output);
    }

    /// <summary>As many words, of the same list, for finding out what they cost.</summary>
    public static string Sample(int seed, int words) => Words(new Random(seed), words);

    private static string Words(Random random, int count)
    {
        var text = new StringBuilder();
        for (int i = 0; i < count; i++)
        {
            text.Append(i == 0 ? "" : " ").Append(_words[random.Next(_words.Length)]);
        }

        return text.ToString();
    }

    private int Spread(Random random, int mean)
    {
        int least = Math.Max(1, (int)(mean * (1 - rangeRatio))), most = (int)(mean * (1 + rangeRatio));
        return most <= least ? mean : random.Next(least, most + 1);
    }

    // Not System.HashCode, which is seeded anew in every process.
    private static int HashCode(int seed, long index)
    {
        ulong x = unchecked((ulong)index * 0x9E3779B97F4A7C15 + (uint)seed);
        x = unchecked((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9);
        return (int)((x ^ (x >> 27)) >> 32);
    }
}
