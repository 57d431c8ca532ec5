using Hadal.Formats.Tokenization;
using Hadal.Numerics;

namespace Hadal.Optimize.Calibration;

/// <summary>Calibration text as rows of tokens.</summary>
public static class CalibrationText
{
    /// <summary>Enough tokens that second moments of narrow inputs have full rank; fewer only measure noise.</summary>
    public const int MinTokens = 64;

    /// <param name="text">The text, whole.</param>
    /// <param name="origin">Where it is from, for messages.</param>
    /// <param name="tokenizer">The model's own.</param>
    /// <param name="maxTokens">Tokens to use at the most, from evenly spaced places.</param>
    /// <param name="rowTokens">Tokens a row: each is read alone, as a text of its own.</param>
    /// <exception cref="HadalException">There is too little text.</exception>
    public static IReadOnlyList<int[]> Rows(string text, string origin, ITokenizer tokenizer, int maxTokens, int rowTokens)
        => Rows([tokenizer.Encode(text)], origin, maxTokens, rowTokens);

    /// <param name="texts">Tokens of texts.</param>
    /// <param name="origin">Where they are from, for messages.</param>
    /// <param name="maxTokens">Tokens to use at the most, from evenly spaced places.</param>
    /// <param name="rowTokens">Tokens a row.</param>
    /// <exception cref="HadalException">There are too few.</exception>
    public static IReadOnlyList<int[]> Rows(IEnumerable<int[]> texts, string origin, int maxTokens, int rowTokens)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxTokens, MinTokens);
        ArgumentOutOfRangeException.ThrowIfLessThan(rowTokens, 2);
        List<int[]> rows = [.. texts.SelectMany(t => t.Chunk(rowTokens)).Where(r => r.Length >= 2)];
        long total = rows.Sum(r => (long)r.Length);
        if (total < MinTokens)
        {
            throw new HadalException($"{origin}: has {total} tokens of calibration text; at least {MinTokens} are needed, and a few thousand of what the model is for are better.");
        }

        int wanted = Math.Max(1, maxTokens / rowTokens);
        if (rows.Count <= wanted)
        {
            return rows;
        }

        // Rows from all over the text, the same ones every time.
        return [.. Enumerable.Range(0, wanted).Select(i => rows[(int)((long)i * rows.Count / wanted)])];
    }
}
