using System.Globalization;
using Hadal.Numerics;

namespace Hadal.Cli.Canary;

/// <summary>Compares what a model says with its fingerprint.</summary>
internal static class CanaryCheck
{
    /// <param name="expected">The fingerprint.</param>
    /// <param name="found">The model's as it runs.</param>
    /// <param name="logitAt">What the model says: position and token to logit.</param>
    /// <param name="where">The fingerprint's file, for the message.</param>
    /// <returns>The largest difference of a logit.</returns>
    /// <exception cref="HadalException">They differ by more than rounding does; the message has place, expected and found.</exception>
    public static float Compare(Fingerprint expected, Fingerprint found, Func<int, int, float> logitAt, string where)
    {
        if (expected.ModelType != found.ModelType || expected.VocabSize != found.VocabSize || expected.NumHiddenLayers != found.NumHiddenLayers)
        {
            throw Failed(where, $"it is of a {expected.ModelType} model of {expected.NumHiddenLayers} layers with {expected.VocabSize} tokens, and this is a {found.ModelType} model of {found.NumHiddenLayers} layers with {found.VocabSize}");
        }

        if (!expected.Tokens.SequenceEqual(found.Tokens))
        {
            throw Failed(where, $"its prompt was cut into the tokens {Join(expected.Tokens)}, and here it gives {Join(found.Tokens)}: the tokenizer is another, or damaged");
        }

        float tolerance = CanaryTolerance.Of(found.Dtype, expected.Dtype);
        float worst = 0;
        foreach (FingerprintPlace place in expected.Places)
        {
            for (int i = 0; i < place.Ids.Count; i++)
            {
                float logit = logitAt(place.Position, place.Ids[i]);
                float difference = Math.Abs(logit - place.Logits[i]);
                worst = Math.Max(worst, difference);
                if (!(difference <= tolerance))
                {
                    throw Failed(where, string.Create(CultureInfo.InvariantCulture, $"after token {place.Position} of the fixed prompt the logit of token {place.Ids[i]} was {place.Logits[i]} ({expected.Dtype}), and here it is {logit} ({found.Dtype}); they may differ by {tolerance}. Likeliest were {Join(place.Ids.Take(5))}; here they are {Join(found.Places.First(p => p.Position == place.Position).Ids.Take(5))}"));
                }
            }
        }

        return worst;
    }

    private static HadalException Failed(string where, string what)
        => new($"Canary: the model does not agree with its fingerprint {where}: {what}. It is not served. Check the weights against where they came from; where the change is meant, write a new fingerprint with hadal canary --write.");

    private static string Join(IEnumerable<int> ids) => $"[{string.Join(", ", ids)}]";
}
