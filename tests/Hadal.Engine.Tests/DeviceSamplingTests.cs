using Hadal.Engine.Tests.Fakes;

namespace Hadal.Engine.Tests;

/// <summary>Runners that choose tokens themselves give what the engine's own sampler gives, and hand out logits only where they must.</summary>
public sealed class DeviceSamplingTests
{
    private static readonly (string Name, SamplingParams Sampling, bool OnDevice)[] _cases =
    [
        ("greedy", Client.Greedy(12), true),
        ("sampled", new() { MaxTokens = 12, Seed = 3 }, true),
        ("cut", new() { MaxTokens = 12, Seed = 4, TopK = 9, TopP = 0.8f, MinP = 0.01f, Temperature = 0.7f }, true),
        ("several", new() { MaxTokens = 12, Seed = 5, N = 3 }, true),
        ("stop", new() { MaxTokens = 40, Seed = 6, StopTokenIds = [7, 8, 9] }, true),
        ("penalties", new() { MaxTokens = 12, Seed = 7, FrequencyPenalty = 1, RepetitionPenalty = 1.2f }, false),
        ("bias", new() { MaxTokens = 12, Temperature = 0, LogitBias = new Dictionary<int, float> { [5] = 3 } }, false),
        ("minimum", new() { MaxTokens = 12, Temperature = 0, MinTokens = 12, StopTokenIds = [.. Enumerable.Range(0, 30)] }, false),
        ("probabilities", new() { MaxTokens = 12, Temperature = 0, LogProbs = 3 }, false),
        ("prompt probabilities", new() { MaxTokens = 12, Temperature = 0, PromptLogProbs = 2 }, false),
        ("prompt alone", new() { MaxTokens = 0, Temperature = 0, PromptLogProbs = 1 }, false),
    ];

    public static TheoryData<string> Names => [.. _cases.Select(c => c.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Answer_WhereTheDeviceChooses_IsTheSame(string name)
    {
        (_, SamplingParams sampling, bool onDevice) = _cases.Single(c => c.Name == name);
        var options = new EngineOptions { MaxBatchedTokens = 10, MaxRunning = 8, MaxPromptLogProbTokens = 4 };
        await using var plain = new LlmEngine(new PagedHashRunner(), options, startThread: false);
        var runner = new SamplingHashRunner(new PagedHashRunner());
        await using var device = new LlmEngine(runner, options, startThread: false);
        GenerationRequest request = Client.Request(Client.Prompt(2, 23), sampling);
        Task<Answer[]> expected = plain.CollectAsync(request);
        Task<Answer[]> actual = device.CollectAsync(request);
        plain.Drain();
        device.Drain();
        foreach ((Answer e, Answer a) in (await expected).Zip(await actual))
        {
            Assert.Equal(e.Tokens, a.Tokens);
            Assert.Equal(e.Reason, a.Reason);
            Assert.Equal(e.Events.Select(x => x.LogProb?.LogProb), a.Events.Select(x => x.LogProb?.LogProb));
            Assert.Equal(e.Events[0].PromptLogProbs?.Select(x => x?.LogProb), a.Events[0].PromptLogProbs?.Select(x => x?.LogProb));
        }

        Assert.Equal(onDevice, runner.NumFetchedRows == 0);
    }

    [Fact]
    public async Task MixedStep_FetchesOnlyTheRowsThatNeedIt()
    {
        var runner = new SamplingHashRunner(new PagedHashRunner());
        await using var engine = new LlmEngine(runner, null, startThread: false);
        Task<Answer[]>[] plain = [.. Enumerable.Range(0, 5).Select(i => engine.CollectAsync(Client.Request(Client.Prompt(i, 9), Client.Greedy(6))))];
        Task<Answer[]> penalised = engine.CollectAsync(Client.Request(Client.Prompt(9, 9), Client.Greedy(6) with { PresencePenalty = 1 }));
        engine.Drain();
        await Task.WhenAll([.. plain, penalised]);
        Assert.Equal((6, 30), (runner.NumFetchedRows, runner.NumChosen));
    }

    [Fact]
    public async Task BadRow_EndsItsAnswerAloneAndSaysWhy()
    {
        int poison = Client.Prompt(3, 9)[^1];
        var hash = new PagedHashRunner { AfterRow = (token, logits, at) => logits[at + 3] = token == poison ? float.NaN : logits[at + 3] };
        await using var engine = new LlmEngine(new SamplingHashRunner(hash), null, startThread: false);
        int[] good = Client.Prompt(4, 9);
        good[^1] = (poison + 1) % 61;
        Task<Answer[]> bad = engine.CollectAsync(Client.Request(Client.Prompt(3, 9), Client.Greedy(6)));
        Task<Answer[]> other = engine.CollectAsync(Client.Request(good, Client.Greedy(1)));
        engine.Drain();
        Assert.Equal(FinishReason.Error, (await bad)[0].Reason);
        Assert.Contains("NaN", (await bad)[0].Last.Error);
        Assert.Equal(FinishReason.Length, (await other)[0].Reason);
    }
}
