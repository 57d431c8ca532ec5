using Hadal.Engine.Tests.Fakes;
using Hadal.Numerics;

namespace Hadal.Engine.Tests;

public sealed class AdmissionTests
{
    public static TheoryData<string, string, SamplingParams> Bad => new()
    {
        { "temperature", "from 0 to 2", new() { Temperature = -0.1f } },
        { "temperature", "NaN", new() { Temperature = float.NaN } },
        { "temperature", "2.5", new() { Temperature = 2.5f } },
        { "top_k", "-1", new() { TopK = -1 } },
        { "top_p", "1.1", new() { TopP = 1.1f } },
        { "min_p", "-1", new() { MinP = -1 } },
        { "repetition_penalty", "0", new() { RepetitionPenalty = 0 } },
        { "frequency_penalty", "from -2 to 2", new() { FrequencyPenalty = 3 } },
        { "presence_penalty", "from -2 to 2", new() { PresencePenalty = -3 } },
        { "n", "129", new() { N = 129 } },
        { "n", "0", new() { N = 0 } },
        { "min_tokens", "-1", new() { MinTokens = -1 } },
        { "min_tokens", "max_tokens = 2", new() { MinTokens = 3, MaxTokens = 2 } },
        { "min_tokens", "512", new() { MinTokens = 600 } },
        { "max_tokens", "-5", new() { MaxTokens = -5 } },
        { "max_tokens", "needs 12 KV pages of 4 tokens, but there are 10", new() { MaxTokens = 46 } },
        { "logprobs", "from 0 to 20", new() { LogProbs = 21 } },
        { "prompt_logprobs", "from 0 to 20", new() { PromptLogProbs = -1 } },
        { "stop_token_ids", "61", new() { StopTokenIds = [61] } },
        { "logit_bias", "-1", new() { LogitBias = new Dictionary<int, float> { [-1] = 0 } } },
        { "logit_bias", "101", new() { LogitBias = new Dictionary<int, float> { [1] = 101 } } },
        { "stop", "empty", new() { Stop = [""] } },
        { "stop", "at most 16", new() { Stop = [.. Enumerable.Repeat("x", 17)] } },
        { "stop", "at most 4096", new() { Stop = [new string('x', 4097)] } },
    };

    [Theory]
    [MemberData(nameof(Bad))]
    public async Task GenerateAsync_WithABadParameter_NamesItAndTheBounds(string parameter, string part, SamplingParams sampling)
    {
        await using var engine = Engine();
        var e = Assert.Throws<InvalidRequestException>(() => engine.GenerateAsync(Client.Request([1, 2, 3], sampling)));
        Assert.Equal(parameter, e.Parameter);
        Assert.Contains(part, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("no tokens")]
    [InlineData("61", 5, 61)]
    [InlineData("-2", -2)]
    public async Task GenerateAsync_WithABadPrompt_SaysSo(string part, params int[] prompt)
    {
        await using var engine = Engine();
        var e = Assert.Throws<InvalidRequestException>(() => engine.GenerateAsync(Client.Request(prompt)));
        Assert.Equal("prompt", e.Parameter);
        Assert.Contains(part, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(513, "512")]
    [InlineData(512, "no room")]
    [InlineData(41, "needs 11 KV pages of 4 tokens, but there are 10")]
    public async Task GenerateAsync_WithTooLongAPrompt_SaysHowLongItMayBe(int length, string part)
    {
        await using var engine = Engine();
        var e = Assert.Throws<InvalidRequestException>(() => engine.GenerateAsync(Client.Request(new int[length], new())));
        Assert.Equal("prompt", e.Parameter);
        Assert.Contains(part, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task GenerateAsync_WithTheLargestThatFits_IsServed()
    {
        await using var engine = Engine();
        Assert.Equal(38, (await engine.RunAsync(Client.Request([1, 2, 3], Client.Greedy(38)))).Tokens.Length); // 3 + 37 computed = 10 pages of 4
        Assert.Single((await engine.RunAsync(Client.Request(new int[40], new()))).Tokens);
    }

    [Fact]
    public async Task GenerateAsync_WithStopStringsButNoTokenizer_SaysSo()
    {
        await using var engine = new LlmEngine(new PagedHashRunner(), null, startThread: false);
        Assert.Equal("stop", Assert.Throws<InvalidRequestException>(() => engine.GenerateAsync(Client.Request([1], new() { Stop = ["x"] }))).Parameter);
    }

    [Fact]
    public void Engine_WithBadOptions_NamesThem()
    {
        using var runner = new PagedHashRunner();
        Assert.Contains("MaxBatchedTokens", Assert.Throws<HadalException>(() => new LlmEngine(runner, new() { MaxBatchedTokens = 3, MaxRunning = 4 })).Message, StringComparison.Ordinal);
        Assert.Contains("MaxQueue", Assert.Throws<HadalException>(() => new LlmEngine(runner, new() { MaxQueue = 0 })).Message, StringComparison.Ordinal);
        Assert.Contains("61", Assert.Throws<HadalException>(() => new LlmEngine(runner, new() { EosTokenIds = [61] })).Message, StringComparison.Ordinal);
    }

    private static LlmEngine Engine() => new(new PagedHashRunner(blockSize: 4, numBlocks: 10), new() { CreateDecoder = _ => new TableDecoder(TableDecoder.Letters) }, startThread: false);
}
