using FsCheck.Xunit;
using Hadal.Engine.Sampling;
using Hadal.Numerics;

namespace Hadal.Engine.Tests.Sampling;

public sealed class SamplerTests
{
    [Fact]
    public void Sample_Greedy_TakesTheLowestIdAmongEquals()
    {
        for (int vocabSize = 1; vocabSize < 70; vocabSize++)
        {
            for (int at = 0; at < vocabSize; at++)
            {
                var row = new float[vocabSize];
                Array.Fill(row, -1f);
                row[at] = -0f; // equal to the +0 behind it
                row[^1] = 0f;
                Assert.Equal(at, new Sampler(vocabSize).Sample(row, State(new() { Temperature = 0 })));
            }
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Sample_OfARowThatIsNotFinite_Throws(float bad)
    {
        var row = new float[100];
        row[77] = bad;
        Assert.Throws<HadalException>(() => new Sampler(100).Sample(row, State(new() { Temperature = 0 })));
        Assert.Throws<HadalException>(() => new Sampler(100).Sample(row, State(new() { TopP = 0.5f })));
        Assert.Throws<HadalException>(() => new Sampler(100).LogProbs(row, 0, 2));
    }

    [Fact]
    public void Sample_WithEveryTokenBanned_Throws()
    {
        var state = new SamplingState(new() { MinTokens = 1 }, 0, 0, [0, 1], []);
        Assert.Throws<HadalException>(() => new Sampler(2).Sample([1, 2], state));
    }

    [Theory]
    [InlineData(float.Epsilon)]
    [InlineData(1e-10f)]
    [InlineData(2f)]
    public void Sample_AtAnyTemperature_IsFinite(float temperature)
    {
        int token = new Sampler(3).Sample([1, 5, -3], State(new() { Temperature = temperature }, seed: 3));
        Assert.True(temperature > 1 ? token is >= 0 and < 3 : token == 1);
    }

    /// <summary>Against a reference that sorts everything: same kept set, same draw, over peaked, flat and tied rows.</summary>
    [Property(MaxTest = 1500)]
    public void Sample_WithAnyFilters_GivesWhatTheFullSortGives(int seed)
    {
        var random = new Random(seed);
        int vocabSize = random.Next(1, 700);
        float spread = new[] { 0.01f, 1f, 5f, 20f }[random.Next(4)];
        bool tied = random.Next(2) == 0;
        float[] row = [.. Enumerable.Range(0, vocabSize).Select(_ => spread * (tied ? random.Next(-4, 5) / 4f : (random.NextSingle() * 2) - 1))];
        if (random.Next(3) == 0)
            row[random.Next(vocabSize)] = float.NegativeInfinity;
        if (row.All(float.IsNegativeInfinity))
            row[0] = 0;
        var parameters = new SamplingParams
        {
            Temperature = new[] { 0.3f, 1f, 1.7f }[random.Next(3)],
            TopK = random.Next(2) == 0 ? 0 : random.Next(1, vocabSize + 5),
            TopP = random.Next(2) == 0 ? 1f : random.NextSingle(),
            MinP = random.Next(2) == 0 ? 0f : random.NextSingle() * random.NextSingle(),
        };
        var sampler = new Sampler(vocabSize);
        for (int i = 0; i < 5; i++)
        {
            ulong drawSeed = (ulong)random.NextInt64();
            int expected = ReferenceSampler.Sample(row, parameters, Philox.NextDouble(drawSeed, 0, 0));
            Assert.Equal(expected, sampler.Sample(row, State(parameters, drawSeed)));
        }
    }

    [Fact]
    public void Sample_ManyTimes_FollowsTheSoftmax()
    {
        const int Num = 40_000;
        float[] row = [0f, 1f, 2f, -1f, 0.5f];
        var counts = new int[row.Length];
        var sampler = new Sampler(row.Length);
        for (uint i = 0; i < Num; i++)
            counts[sampler.Sample(row, State(new(), seed: i))]++;
        double total = row.Sum(x => Math.Exp(x));
        double chiSquare = 0;
        for (int v = 0; v < row.Length; v++)
        {
            double expected = Num * Math.Exp(row[v]) / total;
            chiSquare += (counts[v] - expected) * (counts[v] - expected) / expected;
        }

        Assert.InRange(chiSquare, 0, 23.5); // 4 degrees of freedom, chance 1e-4; the seeds are fixed
    }

    [Property(MaxTest = 500)]
    public void WeightCut_ByCount_KeepsTheKLargest(int seed)
    {
        var random = new Random(seed);
        float[] weights = [.. Enumerable.Range(0, random.Next(1, 200)).Select(_ => random.Next(2) == 0 ? random.NextSingle() : random.Next(4) / 4f)];
        int k = random.Next(1, weights.Length + 1);
        float[] sorted = [.. weights.OrderDescending()];
        WeightCut cut = WeightCut.ByCount((float[])weights.Clone(), k);
        Assert.Equal(sorted[k - 1], cut.Weight);
        Assert.Equal(k, weights.Count(w => w > cut.Weight) + cut.NumEqual);
    }

    [Fact]
    public void Apply_OfBiasAndPenalties_FollowsTheFormulas()
    {
        var state = new SamplingState(
            new()
            {
                RepetitionPenalty = 2f,
                FrequencyPenalty = 0.25f,
                PresencePenalty = 0.5f,
                LogitBias = new Dictionary<int, float> { [0] = 3f, [5] = -100f },
                MinTokens = 4,
            },
            0,
            0,
            [6],
            [1, 1, 2]);
        foreach (int token in new[] { 2, 3, 3 })
            state.Add(token);
        float[] logits = [1, 1, -1, 4, 7, 1, 9];
        state.Apply(logits);
        Assert.Equal([4f, 0.5f, -2.75f, 1f, 7f, -99f, float.NegativeInfinity], logits);
        state.Add(4);
        float[] later = [0, 0, 0, 0, 0, 0, 9];
        state.Apply(later);
        Assert.Equal(9f, later[6]);
    }

    [Fact]
    public void Apply_WithoutRepetitionPenalty_LeavesThePromptAlone()
    {
        var state = new SamplingState(new() { PresencePenalty = 1f }, 0, 0, [], [0]);
        state.Add(1);
        float[] logits = [2, 2];
        state.Apply(logits);
        Assert.Equal([2f, 1f], logits);
    }

    [Property(MaxTest = 200)]
    public void LogProbs_OfAnyRow_AreTheLogSoftmaxInDouble(int seed)
    {
        var random = new Random(seed);
        int vocabSize = random.Next(1, 2000);
        float[] row = [.. Enumerable.Range(0, vocabSize).Select(_ => (random.NextSingle() * 40) - 20 + (seed % 1000))];
        int token = random.Next(vocabSize);
        double max = row.Max();
        double logSum = max + Math.Log(row.Sum(x => Math.Exp(x - max)));
        TokenLogProb result = new Sampler(vocabSize).LogProbs(row, token, 5);
        Assert.Equal(row[token] - logSum, result.LogProb, 1e-5);
        int[] best = [.. Enumerable.Range(0, vocabSize).OrderByDescending(i => row[i]).ThenBy(i => i).Take(5)];
        Assert.Equal(best, result.Top.Select(t => t.TokenId));
        Assert.All(result.Top, t => Assert.Equal(row[t.TokenId] - logSum, t.LogProb, 1e-5));
    }

    [Fact]
    public async Task Sample_InTheSteadyState_AllocatesNothing()
    {
        const int VocabSize = 4_000;
        var random = new Random(5);
        float[] row = [.. Enumerable.Range(0, VocabSize).Select(_ => random.NextSingle() * 12)];
        var sampler = new Sampler(VocabSize);
        SamplingState[] states =
        [
            State(new() { Temperature = 0 }), State(new()), State(new() { TopK = 40, TopP = 0.9f, MinP = 0.02f }), State(new() { TopP = 0.95f }),
            State(new() { RepetitionPenalty = 1.1f, LogitBias = new Dictionary<int, float> { [3] = 1 } }),
        ];
        foreach (SamplingState state in states)
        {
            // Code that the JIT has not optimised yet boxes in generic math, and optimising happens in the background:
            // rounds are run, with pauses, until one is clean. Code that allocates never is.
            long allocated = -1;
            for (int round = 0; round < 300 && allocated != 0; round++)
            {
                await Task.Delay(round < 20 ? 1 : 30);
                long before = GC.GetAllocatedBytesForCurrentThread();
                for (int i = 0; i < 5; i++)
                    sampler.Sample(row, state);
                allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            }

            Assert.True(allocated == 0, $"{allocated} bytes with {state.Parameters}");
        }
    }

    private static SamplingState State(SamplingParams parameters, ulong seed = 0) => new(parameters, seed, 0, [], []);
}
