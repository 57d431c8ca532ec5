using System.Text.Json;
using Hadal.Demo;
using Hadal.Formats.Checkpoints;
using Hadal.Numerics;
using Hadal.Optimize.Quantization;
using Hadal.Optimize.Recipes;
using Hadal.Optimize.Sensitivity;

namespace Hadal.Optimize.Tests.Quantization;

public sealed class QuantizeJobTests
{
    private const string Text = "Once upon a time there was a little bear who lived in the forest. He liked honey very much. One day he found a big tree with bees. "
        + "\"May I have some honey?\" asked the bear. The bees said yes, and they were friends from that day on. What is 12 + 7? 12 + 7 = 19. ";

    [Theory]
    [InlineData(WeightFormat.Fp8Block, 0, "fp8")]
    [InlineData(WeightFormat.Fp8Channel, 0, "float-quantized")]
    [InlineData(WeightFormat.Int8, 0, "int-quantized")]
    [InlineData(WeightFormat.Int8Weight, 32, "pack-quantized")]
    [InlineData(WeightFormat.Int4, 32, "pack-quantized")]
    public void Run_OfTheDemo_LoadsAndSaysTheSame(WeightFormat format, int group, string layout)
    {
        using var folder = new TestFolder();
        using Checkpoint demo = DemoModel.Open();
        QuantizeReport report = QuantizeJob.Run(demo, Options(folder["out"], QuantRecipe.Uniform(format) with { GroupSize = group }, demo), null, CancellationToken.None);
        Assert.NotNull(report.Divergence);
        Assert.InRange(report.Divergence.Value.Kl, 0, format == WeightFormat.Int4 ? 0.2 : 0.02);
        Assert.Contains(layout, File.ReadAllText(Path.Combine(folder["out"], "config.json")), StringComparison.Ordinal);
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder["out"], "quantization_report.json")));
        Assert.Equal(report.Units.Count, json.RootElement.GetProperty("units").GetArrayLength());
        Assert.DoesNotContain(Directory.GetFileSystemEntries(folder.Path), p => p.EndsWith(".partial", StringComparison.Ordinal));

        // The same again from the recipe it wrote.
        QuantizeJob.Run(demo, Options(folder["again"], RecipeFile.Read(Path.Combine(folder["out"], QuantizeJob.RecipeName)), demo) with { Compare = false }, null, CancellationToken.None);
        foreach (string shard in Directory.GetFiles(folder["out"], "*.safetensors"))
        {
            Assert.True(File.ReadAllBytes(shard).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(folder["again"], Path.GetFileName(shard)))), shard);
        }
    }

    [Fact]
    public void Run_WithMovedScales_ChangesNoAnswerByItself()
    {
        // Everything stays bf16 but one matrix: what the others say must be the bits that they said, factors being powers of two.
        using var folder = new TestFolder();
        using Checkpoint demo = DemoModel.Open();
        var plain = new QuantRecipe { Rules = [new QuantRule("model.layers.0.mlp.*", WeightFormat.Int8, "")] };
        QuantizeReport moved = QuantizeJob.Run(demo, Options(folder["moved"], plain with { Smooth = 0.9 }, demo), null, CancellationToken.None);
        Assert.InRange(moved.Divergence!.Value.Kl, 0, 0.01);
        using Checkpoint a = Checkpoint.Open(folder["moved"]);
        Assert.True(a.Tensors.TryGet("model.layers.0.post_attention_layernorm.weight", out StoredTensor? norm));
        Assert.True(demo.Tensors.TryGet("model.layers.0.post_attention_layernorm.weight", out StoredTensor? before));
        Assert.False(norm.Slice(0, (int)norm.ByteLength).SequenceEqual(before.Slice(0, (int)before.ByteLength)));
    }

    [Fact]
    public void Run_ByABudget_KeepsToItAndWritesARecipe()
    {
        using var folder = new TestFolder();
        using Checkpoint demo = DemoModel.Open();
        var options = Options(folder["out"], new QuantRecipe { GroupSize = 32 }, demo) with
        {
            Budget = QuantBudget.Parse("bytes:65%"),
            Formats = [WeightFormat.Int8, WeightFormat.Int4],
            LayerGroup = 3,
        };
        QuantizeReport report = QuantizeJob.Run(demo, options, null, CancellationToken.None);
        Assert.True(report.Units.Select(u => u.Format).Distinct().Count() > 1);
        Assert.NotEmpty(report.Tried);
        Assert.Contains("KL", report.ToMarkdown(), StringComparison.Ordinal);
        using Checkpoint result = Checkpoint.Open(folder["out"]);
        Assert.Contains("mixed-precision", File.ReadAllText(Path.Combine(folder["out"], "config.json")), StringComparison.Ordinal);
    }

    [Fact]
    public void Run_ByABudgetThatCannotBeMet_LeavesNothing()
    {
        using var folder = new TestFolder();
        using Checkpoint demo = DemoModel.Open();
        var options = Options(folder["out"], new QuantRecipe(), demo) with { Budget = QuantBudget.Parse("bytes:1KiB"), Formats = [WeightFormat.Int8], LayerGroup = 8 };
        Assert.Contains("cannot be met", Assert.Throws<HadalException>(() => QuantizeJob.Run(demo, options, null, CancellationToken.None)).Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void Run_WithoutTextThatIsNeeded_SaysSoAndLeavesNothing()
    {
        using var folder = new TestFolder();
        using Checkpoint demo = DemoModel.Open();
        QuantizeOptions options = Options(folder["out"], QuantRecipe.Uniform(WeightFormat.Int4) with { GroupSize = 32, Method = QuantMethod.Gptq }, demo) with { Calibration = [] };
        Assert.Contains("--calibration", Assert.Throws<HadalException>(() => QuantizeJob.Run(demo, options, null, CancellationToken.None)).Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    [Theory]
    [InlineData("model.layers.9.*", 32, "matches none")]
    [InlineData("model.layers.*", 128, "--group-size")]
    public void Run_ByARecipeThatDoesNotFit_LeavesNothing(string match, int group, string says)
    {
        using var folder = new TestFolder();
        using Checkpoint demo = DemoModel.Open();
        var recipe = new QuantRecipe { GroupSize = group, Rules = [new QuantRule(match, WeightFormat.Int4, "")] };
        Assert.Contains(says, Assert.Throws<HadalException>(() => QuantizeJob.Run(demo, Options(folder["out"], recipe, demo), null, CancellationToken.None)).Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void Run_WithGptq_IsNearerOnTheCalibrationTextThanRoundingIs()
    {
        using var folder = new TestFolder();
        using Checkpoint demo = DemoModel.Open();
        QuantRecipe recipe = QuantRecipe.Uniform(WeightFormat.Int4) with { GroupSize = 32 };
        double rounded = QuantizeJob.Run(demo, Options(folder["a"], recipe, demo), null, CancellationToken.None).Divergence!.Value.Kl;
        double passedOn = QuantizeJob.Run(demo, Options(folder["b"], recipe with { Method = QuantMethod.Gptq }, demo), null, CancellationToken.None).Divergence!.Value.Kl;
        Assert.True(passedOn < rounded, $"GPTQ {passedOn}, rounding {rounded}");
    }

    [Fact]
    public void Of_TheDemo_JoinsWhatReadsOneInputAndKeepsRoutersOut()
    {
        using Checkpoint demo = DemoModel.Open();
        IReadOnlyList<QuantUnit> units = QuantUnits.Of(demo.Config, demo.Tensors);
        Assert.Contains(units, u => u.Name == "model.layers.2.self_attn.q_a_proj+kv_a_proj_with_mqa" && u.Weights.Count == 2);
        Assert.Contains(units, u => u.Name == "model.layers.3.mlp.experts.*.gate_proj+up_proj" && u.Weights.Count == 32 && u.ActiveShare == 0.25);
        Assert.Contains(units, u => u.Name == "model.layers.6.mlp.experts.*.down_proj" && !u.InTrunk);
        Assert.DoesNotContain(units.SelectMany(u => u.Weights), w => w.Name.EndsWith("mlp.gate.weight", StringComparison.Ordinal) || w.Name.Contains("embed_tokens", StringComparison.Ordinal));
        Assert.Equal(units.SelectMany(u => u.Weights).Count(), units.SelectMany(u => u.Weights).Select(w => w.Name).Distinct().Count());
    }

    private static QuantizeOptions Options(string output, QuantRecipe recipe, Checkpoint demo) => new()
    {
        Output = output,
        Recipe = recipe,
        RecipeOrigin = "test",
        // Fewer than four rows: none is kept back, and the result is compared on the text itself.
        Calibration = [CheckpointText.LoadTokenizer(demo).Encode(Text + Text + Text)],
        Threads = 2,
    };
}
