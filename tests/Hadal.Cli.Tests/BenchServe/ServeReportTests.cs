using Hadal.Cli.Bench.Serving;

namespace Hadal.Cli.Tests.BenchServe;

public sealed class ServeReportTests
{
    [Fact]
    public void Distribution_Percentiles_AreNumPys()
    {
        // numpy.percentile([1, 2, 4, 8, 16], [25, 50, 90, 99.9, 100])
        Distribution d = Distribution.Of([16, 1, 8, 2, 4], [25, 50, 90, 99.9, 100])!;
        Assert.Equal([2, 4, 12.8, 15.968, 16], d.Percentiles.Values.Select(v => Math.Round(v, 6)));
        Assert.Equal(["p25", "p50", "p90", "p99.9", "p100"], d.Percentiles.Keys);
        Assert.Equal((6.2, 4, 1, 16), (Math.Round(d.Mean, 6), d.Median, d.Min, d.Max));
        Assert.Null(Distribution.Of([], [50]));
    }

    [Fact]
    public void Of_MixedOutcomes_CountsEachOnce()
    {
        RequestOutcome Good(double ttft, double e2e, int tokens) => new()
        {
            Ttft = TimeSpan.FromMilliseconds(ttft),
            E2e = TimeSpan.FromMilliseconds(e2e),
            OutputTokens = tokens,
            PromptTokens = 10,
            HasUsage = true,
            FinishReason = "stop",
            ItlMs = [1, 3],
        };
        RequestOutcome[] outcomes = [Good(100, 200, 11), Good(100, 1100, 11), Good(900, 1000, 11), new() { Error = "http_429 queue_full" }, new() { Error = "timeout" }, new() { IsInterrupted = true }];
        var plan = new LoadPlan { BaseUrl = new Uri("http://localhost/v1"), Model = "m", IsChat = true };
        SloTargets slo = SloTargets.Parse(["ttft:500", "tpot:50"], out _)!;

        ServeReport report = ServeReport.Of(outcomes, plan, slo, [50], Settings(), Environment(), TimeSpan.FromSeconds(2), 4, TimeSpan.Zero, isPartial: true);

        Assert.Equal((6L, 3L, 2L, 1L), (report.NumRequests, report.NumSucceeded, report.NumFailed, report.NumInterrupted));
        Assert.Equal(["http_429 queue_full", "timeout"], report.Errors.Keys);
        Assert.Equal(33 / 2.0, report.OutputTokensPerSecond);
        Assert.Equal(63 / 2.0, report.TotalTokensPerSecond);
        Assert.Equal([10, 100, 10], outcomes[..3].Select(o => o.Tpot!.Value.TotalMilliseconds));
        // One is good: the second takes 100 ms a token, the third's first token comes late, and two failed; the interrupted one is neither.
        Assert.Equal((0.5, 0.2), (report.GoodputRequestsPerSecond, report.GoodputShare));
        Assert.Equal((6, 2), (report.ItlMs!.Count, report.ItlMs.Mean));
    }

    [Theory]
    [InlineData("ttft:100", true)]
    [InlineData("e2e:100", true)]
    [InlineData("e2el:100", true)]
    [InlineData("ttft:0", false)]
    [InlineData("ttft:-1", false)]
    [InlineData("ttft:NaN", false)]
    [InlineData("ttft:inf", false)]
    [InlineData("ttft", false)]
    [InlineData("itl:5", false)]
    public void Goodput_Targets_AreReadOrNamed(string text, bool isGood)
    {
        SloTargets? slo = SloTargets.Parse([text], out string? error);
        Assert.Equal(isGood, slo is not null);
        Assert.Equal(isGood, error is null);
    }

    [Theory]
    [InlineData("""{"choices":[{"delta":{"role":"assistant","content":""}}]}""", false, null)]
    [InlineData("""{"choices":[{"delta":{"content":"a"}}]}""", true, null)]
    [InlineData("""{"choices":[{"delta":{"reasoning_content":"a","content":null}}]}""", true, null)]
    [InlineData("""{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}""", true, null)]
    [InlineData("""{"choices":[{"text":"a","logprobs":{"tokens":["a"]},"finish_reason":"stop"}]}""", true, "stop")]
    [InlineData("""{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":2}}}""", false, null)]
    public void Chunk_OfAnyServer_IsRead(string json, bool hasText, string? finish)
    {
        ChunkReader chunk = ChunkReader.Read(System.Text.Encoding.UTF8.GetBytes(json));
        Assert.Equal((hasText, finish), (chunk.HasText, chunk.FinishReason));
        Assert.Equal(json.Contains("usage", StringComparison.Ordinal) ? (3, 4, 2) : (0, 0, 0), (chunk.PromptTokens, chunk.OutputTokens, chunk.CachedTokens));
    }

    [Fact]
    public void RandomPrompts_SameIndex_IsTheSameAndOthersDiffer()
    {
        var prompts = new RandomPrompts(seed: 3, new TokensPerWord(4, 1.5), inputTokens: 64, outputTokens: 10, rangeRatio: 0.5, sharedTokens: 15);
        Assert.Equal(prompts.Get(5), prompts.Get(5));
        string[] many = [.. Enumerable.Range(0, 200).Select(i => prompts.Get(i).Text)];
        Assert.Equal(200, many.Distinct().Count());
        string shared = string.Join(' ', many[0].Split(' ').Take(10));
        Assert.All(many, m => Assert.StartsWith(shared, m, StringComparison.Ordinal));
        Assert.All(many, m => Assert.InRange(m.Split(' ').Length, 18, 62));
        Assert.Equal(190, many.Select(m => string.Join(' ', m.Split(' ').Skip(10).Take(2))).Distinct().Count(), 10.0);
    }

    private static ServeSettings Settings() => new() { BaseUrl = "", Endpoint = "chat", Model = "m", Dataset = "random", Loop = "closed", IgnoreEos = true, TimeoutSeconds = 1, Seed = 0 };

    private static ServeEnvironment Environment() => new() { Command = "", Version = "", Started = DateTimeOffset.UnixEpoch, Machine = "", Runtime = "" };
}
