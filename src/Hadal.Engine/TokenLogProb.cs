namespace Hadal.Engine;

/// <param name="TokenId">The token.</param>
/// <param name="LogProb">Natural logarithm of its probability under the model's raw logits.</param>
/// <param name="Top">The most likely tokens at this place, best first; empty unless asked for.</param>
public sealed record TokenLogProb(int TokenId, float LogProb, IReadOnlyList<(int TokenId, float LogProb)> Top);
