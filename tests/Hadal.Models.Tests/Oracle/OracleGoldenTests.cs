namespace Hadal.Models.Tests.Oracle;

/// <summary>The oracle itself against transformers' float32 run of the goldens: what it is trusted by.</summary>
public sealed class OracleGoldenTests
{
    public static TheoryData<string> Cases() => [.. Golden.Families];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Logits_OfTheOracle_MatchTheReference(string family)
    {
        using var golden = new Golden(family, "none");
        var oracle = new OracleModel(Path.Combine(AppContext.BaseDirectory, "goldens", "models", family));
        double[] logits = [.. golden.Rows.SelectMany(oracle.Logits).SelectMany(row => row)];
        double worst = logits.Zip(golden.Logits, (a, b) => Math.Abs(a - b)).Max();
        TestContext.Current.TestOutputHelper?.WriteLine($"{family}: {worst:e2} of logits up to {golden.Logits.Max():f2}");
        // The reference is float32: its own rounding is what is left.
        Assert.InRange(worst, 0, 1e-4);
    }
}
