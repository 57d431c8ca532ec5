namespace Hadal.Optimize.Sensitivity;

/// <summary>A mix on the path from all bf16 to all as small as can be.</summary>
/// <param name="Choices">By group.</param>
/// <param name="Changed">The group that changed; -1 for the first step.</param>
public sealed record MixStep(IReadOnlyList<UnitSensitivity> Choices, int Changed)
{
    public long Bytes => Choices.Sum(c => c.Bytes);

    public double ActiveBytes => Choices.Sum(c => c.ActiveBytes);

    /// <summary>Sum of the groups' own divergences: an estimate of the whole's, which small ones nearly add up to.</summary>
    public double Kl => Choices.Sum(c => c.Divergence.Kl);
}
