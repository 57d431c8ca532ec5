using System.Runtime.InteropServices;
using Hadal.Graph.Execution;
using Hadal.Graph.Passes;

namespace Hadal.Models.Tests;

/// <summary>Every family against the reference implementation's float32 run of a tiny random checkpoint (tests/goldens/README.md).</summary>
public sealed class GoldenTests
{
    private const float Bar = 2e-3f;

    public static TheoryData<string, string> Cases()
    {
        var data = new TheoryData<string, string>();
        foreach (string family in Golden.Families)
        {
            data.Add(family, "none");
            data.Add(family, "default");
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Logits_WholePrompt_MatchReference(string family, string fusion)
    {
        using var golden = new Golden(family, fusion, keepHiddenStates: true);
        float[] logits = golden.Prefill(golden.Rows, chunk: int.MaxValue);
        Assert.InRange(Worst(logits, golden.Logits), 0, Bar);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void HiddenStates_EveryLayer_MatchReference(string family, string fusion)
    {
        using var golden = new Golden(family, fusion, keepHiddenStates: true);
        golden.Prefill([golden.Rows[0]], chunk: int.MaxValue);
        int layers = golden.Model.Config.NumHiddenLayers;
        for (int i = 0; i <= layers; i++)
        {
            float[] expected = golden.Expected($"hidden_states.{i}");
            float[] actual = golden.Model.Runner.Output($"hidden_states.{i}");
            float scale = expected.Max(Math.Abs);
            Assert.InRange(Worst(actual, expected.AsSpan(0, actual.Length)), 0, Bar * Math.Max(1, scale));
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void FetchHidden_OfChunks_MatchesReferenceAfterTheFinalNorm(string family, string fusion)
    {
        using var golden = new Golden(family, fusion);
        int layers = golden.Model.Config.NumHiddenLayers;
        int width = golden.Model.Config.HiddenSize;
        float[] expected = golden.Expected($"hidden_states.{layers}");
        float scale = Math.Max(1, expected.Max(Math.Abs));
        var runner = (IHiddenStateRunner)golden.Model.Runner;
        Assert.Equal(width, runner.HiddenSize);
        int[] row = golden.Rows[0];
        using var batch = new StepBatch(4);
        foreach (int chunk in new[] { row.Length, 5 })
        {
            for (int from = 0; from < row.Length; from += chunk)
            {
                // Without logits, as embeddings are asked for; and not from the step's first row.
                int n = Math.Min(chunk, row.Length - from);
                batch.Reset(2, 16);
                batch.AddSequence(golden.Rows[1].AsSpan(0, 3), 0, [31, 30, 29], LogitsWanted.Last);
                int first = batch.NumTokens;
                batch.AddSequence(row.AsSpan(from, n), from, [.. Enumerable.Range(0, 16)], LogitsWanted.None);
                runner.Run(batch);
                Assert.InRange(Worst(runner.FetchHidden(first, n), expected.AsSpan(from * width, n * width)), 0, Bar * scale);
            }
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => runner.FetchHidden(1, batch.NumTokens));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Logits_ChunkedPrompt_MatchWholePrompt(string family, string fusion)
    {
        using var golden = new Golden(family, fusion);
        float[] whole = golden.Prefill(golden.Rows, chunk: int.MaxValue);
        foreach (int chunk in new[] { 1, 5, 16 })
        {
            Assert.InRange(Worst(golden.Prefill(golden.Rows, chunk), whole), 0, 1e-4f);
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Logits_Batch_MatchesEachAlone(string family, string fusion)
    {
        using var golden = new Golden(family, fusion);
        float[] batch = golden.Prefill(golden.Rows, chunk: int.MaxValue);
        float[] alone = [.. golden.Rows.SelectMany(r => golden.Prefill([r], chunk: int.MaxValue))];
        Assert.InRange(Worst(batch, alone), 0, 1e-4f);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Greedy_Continuation_MatchesReferenceWhereTheMarginDecides(string family, string fusion)
    {
        using var golden = new Golden(family, fusion);
        long[] expected = golden.ExpectedIds("greedy_ids");
        float[] margin = golden.Expected("greedy_margin");
        int prompt = golden.Rows[0].Length;
        List<int> ids = [.. golden.Rows[0]];
        int compared = 0;
        for (int i = 0; i < margin.Length; i++)
        {
            float[] logits = golden.LastLogits(CollectionsMarshal.AsSpan(ids));
            int best = logits.AsSpan().IndexOf(logits.Max());
            if (margin[i] > 2 * Bar)
            {
                Assert.Equal(expected[prompt + i], best);
                compared++;
            }

            // Go on along the reference's path, so that one near-tie does not end the comparison.
            ids.Add((int)expected[prompt + i]);
        }

        Assert.True(compared > margin.Length / 2, $"only {compared} of {margin.Length} margins decide anything");
    }

    [Theory]
    [InlineData("deepseek_v2")]
    [InlineData("deepseek_v3_fp8")]
    [InlineData("qwen3")]
    public void Logits_WithEachPassAlone_MatchReference(string family)
    {
        foreach (IGraphPass pass in FusionPlan.All)
        {
            using var golden = new Golden(family, pass.Name);
            Assert.InRange(Worst(golden.Prefill(golden.Rows, chunk: 7), golden.Logits), 0, Bar);
        }
    }

    private static float Worst(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected)
    {
        Assert.Equal(expected.Length, actual.Length);
        float worst = 0;
        for (int i = 0; i < actual.Length; i++)
        {
            float d = MathF.Abs(actual[i] - expected[i]);
            worst = float.IsNaN(d) ? float.PositiveInfinity : Math.Max(worst, d);
        }

        return worst;
    }
}
