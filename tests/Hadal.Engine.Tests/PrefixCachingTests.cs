using Hadal.Engine.Tests.Fakes;

namespace Hadal.Engine.Tests;

public sealed class PrefixCachingTests
{
    private const int VocabSize = 61;

    [Fact]
    public async Task SecondRequest_WithTheSameBeginning_ComputesOnlyTheRest()
    {
        var runner = new PagedHashRunner(blockSize: 4);
        await using var engine = new LlmEngine(runner, null, startThread: false);
        int[] stem = Client.Prompt(1, 16);
        int[] first = [.. stem, 1, 2];
        int[] second = [.. stem, 3, 4, 5];
        Assert.Equal(0, (await engine.RunAsync(Client.Request(first))).Last.Usage.CachedTokens);
        long before = runner.NumTokens;
        Answer answer = await engine.RunAsync(Client.Request(second));
        Assert.Equal(16, answer.Last.Usage.CachedTokens);
        Assert.Equal(3 + 7, runner.NumTokens - before);
        Assert.Equal(HashModel.Greedy(second, 8, VocabSize), answer.Tokens);
        Assert.Equal((37, 16), (engine.GetStats().PromptTokens, engine.GetStats().CachedPromptTokens));
    }

    [Fact]
    public async Task SamePrompt_OfWholeBlocks_ComputesTheLastBlock()
    {
        await using var engine = new LlmEngine(new PagedHashRunner(blockSize: 4), null, startThread: false);
        int[] prompt = Client.Prompt(1, 16);
        await engine.RunAsync(Client.Request(prompt));
        Answer again = await engine.RunAsync(Client.Request(prompt));
        Assert.Equal(12, again.Last.Usage.CachedTokens);
        Assert.Equal(HashModel.Greedy(prompt, 8, VocabSize), again.Tokens);
    }

    [Fact]
    public async Task NextTurn_OfAConversation_FindsTheAnswerToo()
    {
        await using var engine = new LlmEngine(new PagedHashRunner(blockSize: 4), null, startThread: false);
        int[] prompt = Client.Prompt(1, 10);
        Answer answer = await engine.RunAsync(Client.Request(prompt, Client.Greedy(15)));
        int[] next = [.. prompt, .. answer.Tokens, 7];
        Assert.Equal(24, (await engine.RunAsync(Client.Request(next))).Last.Usage.CachedTokens); // 24 of 25 were computed: the last one sampled was not
    }

    [Fact]
    public async Task Cache_WhenPagesAreNeeded_IsEvictedAndTheTokensStayRight()
    {
        await using var engine = new LlmEngine(new PagedHashRunner(blockSize: 4, numBlocks: 12), new() { MaxRunning = 4 }, startThread: false);
        for (int i = 0; i < 20; i++)
        {
            int[] prompt = [.. Client.Prompt(i / 2 % 3, 12), .. Client.Prompt(i, 5)];
            Assert.Equal(HashModel.Greedy(prompt, 8, VocabSize), (await engine.RunAsync(Client.Request(prompt))).Tokens);
        }

        Assert.True(engine.Loop.Blocks.NumEvictions > 0, "twelve pages were to be too few");
        Assert.True(engine.GetStats().CachedPromptTokens > 0, "some beginnings were to be found");
    }

    [Fact]
    public async Task Disabled_NeverSharesAmongRequests()
    {
        await using var engine = new LlmEngine(new PagedHashRunner(), new() { EnablePrefixCaching = false }, startThread: false);
        int[] prompt = Client.Prompt(1, 30);
        for (int i = 0; i < 3; i++)
            Assert.Equal(0, (await engine.RunAsync(Client.Request(prompt, Client.Greedy(4) with { N = 1 + (i % 2) }))).Last.Usage.CachedTokens);
        Assert.Equal(0, engine.GetStats().CachedPromptTokens);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ManyChoices_ComputeThePromptOnce(bool caching)
    {
        var runner = new PagedHashRunner(blockSize: 4);
        await using var engine = new LlmEngine(runner, new() { EnablePrefixCaching = caching }, startThread: false);
        int[] prompt = Client.Prompt(1, 42);
        Task<Answer[]> task = engine.CollectAsync(Client.Request(prompt, new() { Seed = 5, N = 4, MaxTokens = 6 }));
        engine.Drain();
        Answer[] answers = await task;
        // Each further choice computes the two tokens of the partial block, and every choice five of its six.
        Assert.Equal(42 + (3 * 2) + (4 * 5), runner.NumTokens);
        Assert.Equal(4, answers.Select(a => string.Join(',', a.Tokens)).Distinct().Count());
        Assert.All(answers, a => Assert.Equal(new TokenUsage(42, 6, 0), a.Last.Usage));
        Assert.Equal(1, engine.GetStats().RequestsFinished);
    }
}
