namespace Hadal.Cli.Canary;

/// <summary>The largest logits after a token of the prompt.</summary>
/// <param name="Position">Of the token.</param>
/// <param name="Ids">Likeliest first.</param>
/// <param name="Logits">Of those ids.</param>
internal sealed record FingerprintPlace(int Position, IReadOnlyList<int> Ids, IReadOnlyList<float> Logits);
