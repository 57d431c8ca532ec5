using Hadal.Engine.Sampling;
using Hadal.Engine.Tests.Fakes;

namespace Hadal.Engine.Tests.Speculation;

/// <summary>
/// Sampled answers keep the model's distribution under speculation. A draft is accepted where the row's own draw is that token, which is rejection sampling with
/// a proposal of one token: accepted with probability p(draft), else a token of the rest in proportion to p.
/// </summary>
public sealed class DistributionTests
{
    private const int VocabSize = 8;

    // Chi-square of 1e-6 for so many degrees of freedom (Wilson-Hilferty); seeds are fixed, so this passes or fails always.
    private static double Critical(int freedom)
    {
        const double z = 4.7534;
        double a = 2.0 / (9 * freedom);
        return freedom * Math.Pow(1 - a + (z * Math.Sqrt(a)), 3);
    }

    public static TheoryData<string> Transforms() => ["plain", "temperature", "top_k", "top_p", "min_p", "penalties", "bias", "all"];

    [Theory]
    [MemberData(nameof(Transforms))]
    public void Accept_OfEveryDraft_GivesTheTransformedDistribution(string transform)
    {
        const int numDraws = 40_000;
        SamplingParams parameters = Parameters(transform);
        var sampler = new Sampler(VocabSize);
        float[] row = HashModel.LogitsAfter([1, 2, 3], VocabSize);
        double[] expected = Distribution(row, parameters, [1, 2, 3]);
        for (int draft = 0; draft < VocabSize; draft++)
        {
            var counts = new long[VocabSize];
            long numAccepted = 0;
            for (int seed = 0; seed < numDraws; seed++)
            {
                int token = sampler.Sample(row, new SamplingState(parameters, (ulong)seed, 0, [], [1, 2, 3]));
                numAccepted += token == draft ? 1 : 0;
                counts[token]++;
            }

            AssertFits(counts, expected, numDraws);
            // The best any rule can do for a proposal of one token.
            double error = Math.Sqrt(expected[draft] * (1 - expected[draft]) / numDraws);
            Assert.True(Math.Abs((numAccepted / (double)numDraws) - expected[draft]) <= (6 * error) + 1e-12, $"draft {draft}: accepted {numAccepted} of {numDraws}, expected {expected[draft]:0.0000}");
        }
    }

    /// <summary>Through the engine: pairs of tokens, whose joint distribution a wrong rule of acceptance would bend.</summary>
    [Theory]
    [InlineData("plain", SpeculationMethod.Mtp)]
    [InlineData("all", SpeculationMethod.Mtp)]
    [InlineData("plain", SpeculationMethod.Ngram)]
    public async Task Answers_OfManySeeds_AreDistributedAsTheModelSays(string transform, SpeculationMethod method)
    {
        const int numAnswers = 6000;
        int[] prompt = [1, 2, 3, 1, 2, 3, 1, 2, 3];
        SamplingParams parameters = Parameters(transform) with { MaxTokens = 3 };
        var counts = new long[VocabSize * VocabSize];
        var runner = new PagedHashRunner(VocabSize, numBlocks: 512);
        var mtp = new MtpHashRunner(runner) { Spoils = hash => hash % 3 == 0 };
        var options = new EngineOptions { MaxRunning = 32, MaxQueue = numAnswers, Speculation = new() { Method = method, MaxDraftTokens = 3, MinNgram = 1, Adaptive = false } };
        await using var engine = new LlmEngine(mtp, options, startThread: false);
        Task<Answer[]>[] tasks = [.. Enumerable.Range(0, numAnswers).Select(i => engine.CollectAsync(Client.Request(prompt, parameters with { Seed = (ulong)i })))];
        engine.Drain();
        foreach (Task<Answer[]> task in tasks)
        {
            int[] tokens = (await task)[0].Tokens;
            // The second and third come by verification.
            counts[(tokens[1] * VocabSize) + tokens[2]]++;
        }

        SpeculationStats stats = engine.GetStats().Speculation!;
        Assert.True(stats.Accepted > 100 && stats.Drafted > stats.Accepted, $"{stats.Accepted} of {stats.Drafted}");
        var expected = new double[VocabSize * VocabSize];
        double[] first = Distribution(HashModel.LogitsAfter(prompt, VocabSize), parameters, prompt);
        for (int a = 0; a < VocabSize; a++)
        {
            int[] withA = [.. prompt, a];
            double[] second = Distribution(HashModel.LogitsAfter(withA, VocabSize), parameters, prompt, a);
            for (int b = 0; b < VocabSize; b++)
            {
                double[] third = Distribution(HashModel.LogitsAfter([.. withA, b], VocabSize), parameters, prompt, a, b);
                for (int c = 0; c < VocabSize; c++)
                    expected[(b * VocabSize) + c] += first[a] * second[b] * third[c];
            }
        }

        AssertFits(counts, expected, numAnswers);
    }

    private static SamplingParams Parameters(string transform) => transform switch
    {
        "temperature" => new() { Temperature = 0.6f },
        "top_k" => new() { TopK = 3 },
        "top_p" => new() { TopP = 0.85f },
        "min_p" => new() { MinP = 0.1f },
        "penalties" => new() { RepetitionPenalty = 1.3f, FrequencyPenalty = 0.4f, PresencePenalty = 0.2f },
        "bias" => new() { LogitBias = new Dictionary<int, float> { [0] = 1.5f, [5] = -2 } },
        "all" => new() { Temperature = 1.4f, TopK = 6, TopP = 0.95f, MinP = 0.02f, RepetitionPenalty = 1.2f, FrequencyPenalty = 0.3f, LogitBias = new Dictionary<int, float> { [0] = 1 } },
        _ => new(),
    };

    /// <summary>The transforms written out once more, in double precision.</summary>
    private static double[] Distribution(float[] row, SamplingParams p, int[] prompt, params int[] answer)
    {
        double[] logits = [.. row.Select(x => (double)x)];
        foreach ((int id, float bias) in p.LogitBias ?? new Dictionary<int, float>())
            logits[id] += bias;
        foreach (int token in (p.RepetitionPenalty == 1 ? answer : prompt.Concat(answer)).Distinct())
        {
            int count = answer.Count(t => t == token);
            logits[token] = logits[token] > 0 ? logits[token] / p.RepetitionPenalty : logits[token] * p.RepetitionPenalty;
            logits[token] -= (count * p.FrequencyPenalty) + (count > 0 ? p.PresencePenalty : 0);
        }

        double max = logits.Max();
        double[] weights = [.. logits.Select(x => Math.Exp((x - max) / p.Temperature))];
        int[] order = [.. Enumerable.Range(0, weights.Length).OrderByDescending(i => weights[i])];
        if (p.TopK > 0)
        {
            foreach (int id in order.Skip(p.TopK))
                weights[id] = 0;
        }

        double mass = weights.Sum() * p.TopP;
        double sum = 0;
        foreach (int id in order)
        {
            bool stays = sum < mass;
            sum += weights[id];
            weights[id] = stays ? weights[id] : 0;
        }

        double least = weights.Max() * p.MinP;
        weights = [.. weights.Select(w => w < least ? 0 : w)];
        double total = weights.Sum();
        return [.. weights.Select(w => w / total)];
    }

    private static void AssertFits(long[] counts, double[] expected, int total)
    {
        double chi = 0;
        int cells = 0;
        double restCount = 0;
        double restExpected = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            if (expected[i] == 0)
                Assert.Equal(0, counts[i]);
            if (expected[i] * total < 8)
            {
                // Cells of few go together.
                restCount += counts[i];
                restExpected += expected[i] * total;
                continue;
            }

            double d = counts[i] - (expected[i] * total);
            chi += d * d / (expected[i] * total);
            cells++;
        }

        if (restExpected > 1)
        {
            chi += (restCount - restExpected) * (restCount - restExpected) / restExpected;
            cells++;
        }

        double critical = Critical(Math.Max(1, cells - 1));
        Assert.True(chi < critical, $"chi-square {chi:0.0} of {cells} cells, {critical:0.0} allowed");
    }
}
