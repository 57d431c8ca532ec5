using System.Text;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Hadal.Numerics;
using Hadal.Optimize.Quantization;
using Hadal.Optimize.Recipes;
using Hadal.Optimize.Sensitivity;

namespace Hadal.Optimize.Tests.Recipes;

public sealed class RecipeFileTests
{
    private const string Good = """{"version":1,"method":"gptq","group_size":64,"smooth":0.5,"activation_aware":true,"damping":0.02,"rules":[{"match":"model.layers.*","format":"int4","why":"small"}]}""";

    [Fact]
    public void Parse_OfWhatWriteWrote_IsTheSame()
    {
        QuantRecipe recipe = RecipeFile.Parse(Encoding.UTF8.GetBytes(Good), "r.json");
        QuantRecipe again = RecipeFile.Parse(RecipeFile.Write(recipe), "r.json");
        Assert.Equal(recipe.Rules, again.Rules);
        Assert.Equal(recipe with { Rules = [] }, again with { Rules = [] });
        Assert.Equal(QuantMethod.Gptq, again.Method);
        Assert.Equal(0.5, again.Smooth);
    }

    [Theory]
    [InlineData("", "not valid JSON")]
    [InlineData("[]", "an object")]
    [InlineData("{}", "'version' is missing")]
    [InlineData("""{"version":2,"rules":[]}""", "'version' is 2")]
    [InlineData("""{"version":1}""", "no 'rules'")]
    [InlineData("""{"version":1,"rules":[{"match":"*"}]}""", "rules[0].format' is missing")]
    [InlineData("""{"version":1,"rules":[{"format":"int8"}]}""", "rules[0].match' is missing")]
    [InlineData("""{"version":1,"rules":[{"match":"*","format":"int3"}]}""", "int3")]
    [InlineData("""{"version":1,"rules":[{"match":"*","format":"int8","formt":"x"}]}""", "formt")]
    [InlineData("""{"version":1,"method":"awq","rules":[{"match":"*","format":"int8"}]}""", "rtn or gptq")]
    [InlineData("""{"version":1,"group_size":-1,"rules":[{"match":"*","format":"int8"}]}""", "group_size")]
    [InlineData("""{"version":1,"smooth":1.5,"rules":[{"match":"*","format":"int8"}]}""", "smooth")]
    [InlineData("""{"version":1,"version":1,"rules":[{"match":"*","format":"int8"}]}""", "not valid JSON")]
    [InlineData("""{"version":1,"rules":[{"match":"\ud800","format":"int8"}]}""", "Unicode")]
    public void Parse_OfABadRecipe_SaysWhere(string json, string says)
    {
        HadalException e = Assert.Throws<HadalException>(() => RecipeFile.Parse(Encoding.UTF8.GetBytes(json), "r.json"));
        Assert.Contains("r.json", e.Message, StringComparison.Ordinal);
        Assert.Contains(says, e.Message, StringComparison.Ordinal);
    }

    [Property(MaxTest = 300)]
    public Property Parse_OfAnyMutation_ThrowsNothingElse() => Prop.ForAll(
        (from at in Gen.Choose(0, Good.Length - 1) from b in Gen.Choose(0, 255) from cut in Gen.Choose(0, 5) select (at, b, cut)).ToArbitrary(),
        m =>
        {
            byte[] bytes = Encoding.UTF8.GetBytes(Good);
            bytes[m.at] = (byte)m.b;
            try
            {
                RecipeFile.Parse(m.cut == 0 ? bytes[..m.at] : bytes, "r.json");
            }
            catch (HadalException)
            {
            }

            return true;
        });

    [Theory]
    [InlineData("bytes:12MiB", QuantBudgetKind.Bytes, 12 << 20)]
    [InlineData("bytes:1000", QuantBudgetKind.Bytes, 1000)]
    [InlineData("bytes:55%", QuantBudgetKind.Share, 0.55)]
    [InlineData("nll:+0.003", QuantBudgetKind.NllRise, 0.003)]
    [InlineData("latency:5.8ms", QuantBudgetKind.LatencyMs, 5.8)]
    public void Parse_OfABudget(string text, QuantBudgetKind kind, double limit)
    {
        QuantBudget budget = QuantBudget.Parse(text);
        Assert.Equal(kind, budget.Kind);
        Assert.Equal(limit, budget.Limit, 1e-9);
    }

    [Theory]
    [InlineData("")]
    [InlineData("bytes")]
    [InlineData("bytes:")]
    [InlineData("bytes:-3MiB")]
    [InlineData("bytes:120%")]
    [InlineData("nll:0")]
    [InlineData("nll:NaN")]
    [InlineData("latency:5")]
    [InlineData("speed:5")]
    public void Parse_OfABadBudget_ShowsHow(string text)
        => Assert.Contains("write bytes:12MiB", Assert.Throws<HadalException>(() => QuantBudget.Parse(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void Path_OfChoices_TakesWhatSavesMostForItsCostFirst()
    {
        QuantUnit unit = new("u", 0, "r", [], 1);
        UnitSensitivity S(WeightFormat f, double kl, long bytes) => new([unit], f, new Divergence(kl, kl, 1), bytes, bytes);
        IReadOnlyList<MixStep> path = MixSearch.Path(
        [
            [S(WeightFormat.Bf16, 0, 100), S(WeightFormat.Int8, 0.5, 50), S(WeightFormat.Fp8Block, 0.1, 50)],
            [S(WeightFormat.Bf16, 0, 100), S(WeightFormat.Int8, 0.01, 50), S(WeightFormat.Int4, 0.4, 25)],
        ], s => s.Bytes);
        Assert.Equal([200L, 150, 100, 75], path.Select(p => p.Bytes));
        Assert.Equal([-1, 1, 0, 1], path.Select(p => p.Changed));
        Assert.Equal(WeightFormat.Fp8Block, path[2].Choices[0].Format);
    }
}
