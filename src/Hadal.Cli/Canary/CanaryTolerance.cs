namespace Hadal.Cli.Canary;

/// <summary>How far a logit may be from the fingerprint's, by what activations, weights and pages are rounded to.</summary>
/// <remarks>Of the demo, a mixture whose router can flip; measured against its float32 fingerprint: docs/canary.md has the figures.</remarks>
internal static class CanaryTolerance
{
    // The bar that the goldens hold float32 to.
    private const float Exact = 2e-3f;
    private const float Rounded = 0.5f;
    private const float Quantised = 3f;

    public static string Describe(string dtype, string weightDtype, string kvDtype) => $"{dtype}, weights {weightDtype}, KV {kvDtype}";

    /// <param name="now">As <see cref="Describe"/> gives it, of the model that runs.</param>
    /// <param name="then">Of the fingerprint.</param>
    public static float Of(string now, string then) => Math.Max(Of(now), Of(then));

    private static float Of(string described)
        => described.StartsWith("f32, ", StringComparison.Ordinal) && described.Contains("weights stored", StringComparison.Ordinal) && described.EndsWith("KV F32", StringComparison.Ordinal) ? Exact
            : described.Contains("weights stored", StringComparison.Ordinal) && !described.EndsWith("KV F8E4M3", StringComparison.Ordinal) ? Rounded
            : Quantised;
}
