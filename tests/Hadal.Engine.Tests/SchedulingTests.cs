using FsCheck.Xunit;
using Hadal.Engine.Tests.Fakes;

namespace Hadal.Engine.Tests;

/// <summary>However the work is cut into steps, batches and pages, the tokens are those of the bare model.</summary>
public sealed class SchedulingTests
{
    private const int VocabSize = 61;

    [Fact]
    public async Task Generate_Greedy_GivesTheModelsTokens()
    {
        await using var engine = new LlmEngine(new PagedHashRunner(), null, startThread: false);
        int[] prompt = Client.Prompt(1, 13);
        Answer answer = await engine.RunAsync(Client.Request(prompt, Client.Greedy(20)));
        Assert.Equal(HashModel.Greedy(prompt, 20, VocabSize), answer.Tokens);
        Assert.Equal(FinishReason.Length, answer.Reason);
        Assert.Equal(new TokenUsage(13, 20, 0), answer.Last.Usage);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(3, 4)]
    [InlineData(7, 4)]
    [InlineData(16, 16)]
    [InlineData(512, 16)]
    public async Task Prefill_InChunksOfAnySize_GivesTheSameTokens(int budget, int blockSize)
    {
        var runner = new PagedHashRunner(blockSize: blockSize, numBlocks: 512 / blockSize);
        await using var engine = new LlmEngine(runner, new() { MaxBatchedTokens = budget, MaxRunning = 1 }, startThread: false);
        int[] prompt = Client.Prompt(2, 50);
        Answer answer = await engine.RunAsync(Client.Request(prompt));
        Assert.Equal(HashModel.Greedy(prompt, 8, VocabSize), answer.Tokens);
        Assert.Equal(Math.Min(budget, 50), runner.LargestStep);
        Assert.Equal(57, runner.NumTokens);
        Assert.Equal(8, runner.NumLogitRows);
    }

    [Fact]
    public async Task Batch_OfMany_GivesEachTheTokensItGetsAlone()
    {
        await using var engine = new LlmEngine(new PagedHashRunner(), new() { MaxBatchedTokens = 24, MaxRunning = 12 }, startThread: false);
        var tasks = new List<(int[] Prompt, int Num, Task<Answer[]> Task)>();
        for (int i = 0; i < 40; i++)
        {
            int[] prompt = Client.Prompt(i, 1 + (i * 7 % 30));
            tasks.Add((prompt, 1 + (i % 11), engine.CollectAsync(Client.Request(prompt, Client.Greedy(1 + (i % 11))))));
            engine.Loop.Step();
        }

        engine.Drain();
        foreach ((int[] prompt, int num, Task<Answer[]> task) in tasks)
            Assert.Equal(HashModel.Greedy(prompt, num, VocabSize), (await task)[0].Tokens);
        Assert.Equal(0, engine.GetStats().KvBlocksUsed);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Preemption_WithTooFewPages_GivesTheSameTokens(bool caching)
    {
        // Each grows to 10 pages of the 14 there are.
        var runner = new PagedHashRunner(blockSize: 2, numBlocks: 14);
        await using var engine = new LlmEngine(runner, new() { MaxRunning = 8, MaxBatchedTokens = 16, EnablePrefixCaching = caching }, startThread: false);
        var tasks = Enumerable.Range(0, 6).Select(i => engine.CollectAsync(Client.Request(Client.Prompt(i, 3), Client.Greedy(18)))).ToArray();
        engine.Drain();
        for (int i = 0; i < tasks.Length; i++)
            Assert.Equal(HashModel.Greedy(Client.Prompt(i, 3), 18, VocabSize), (await tasks[i])[0].Tokens);
        Assert.True(engine.GetStats().Preemptions > 0, "the pages were to run out");
        Assert.Equal(0, engine.GetStats().KvBlocksUsed);
    }

    [Fact]
    public async Task Preemption_OfSampledSequences_DrawsTheSameNumbers()
    {
        async Task<int[][]> RunAsync(int numBlocks)
        {
            await using var engine = new LlmEngine(new PagedHashRunner(blockSize: 2, numBlocks: numBlocks), new() { MaxRunning = 8, MaxBatchedTokens = 16 }, startThread: false);
            var tasks = Enumerable.Range(0, 6).Select(i => engine.CollectAsync(Client.Request(
                Client.Prompt(i, 3), new() { MaxTokens = 18, Seed = (ulong)i, TopP = 0.9f, FrequencyPenalty = 0.5f, N = 1 + (i % 2) }))).ToArray();
            engine.Drain();
            Assert.Equal(numBlocks < 100, engine.GetStats().Preemptions > 0);
            return [.. (await Task.WhenAll(tasks)).SelectMany(a => a).Select(a => a.Tokens)];
        }

        Assert.Equal(await RunAsync(1000), await RunAsync(14));
    }

    [Fact]
    public async Task Start_BehindALongQueue_KeepsTheOrderOfArrival()
    {
        var runner = new PagedHashRunner(blockSize: 4, numBlocks: 8);
        await using var engine = new LlmEngine(runner, new() { MaxRunning = 2, MaxBatchedTokens = 8 }, startThread: false);
        var order = new List<int>();
        async Task CollectAsync(int i, int length)
        {
            await engine.CollectAsync(Client.Request(Client.Prompt(i, length), Client.Greedy(1)));
            lock (order)
                order.Add(i);
        }

        // The large one at the front is not overtaken by the small ones, which would fit.
        Task first = CollectAsync(0, 20);
        engine.Loop.Step();
        Task second = CollectAsync(1, 30);
        Task third = CollectAsync(2, 1);
        engine.Loop.Step();
        Assert.Equal(2, engine.GetStats().Waiting);
        engine.Drain();
        await Task.WhenAll(first, second, third);
        Assert.Equal(3, order.Count);
        Assert.Equal(3, engine.GetStats().RequestsFinished);
    }

    [Fact]
    public async Task Decode_BesideALongPrefill_AdvancesEveryStep()
    {
        await using var engine = new LlmEngine(new PagedHashRunner(), new() { MaxRunning = 4, MaxBatchedTokens = 8 }, startThread: false);
        Task<Answer[]> early = engine.CollectAsync(Client.Request(Client.Prompt(1, 4), Client.Greedy(12)));
        engine.Loop.Step();
        Task<Answer[]> longOne = engine.CollectAsync(Client.Request(Client.Prompt(2, 300), Client.Greedy(2)));
        for (int i = 0; i < 11; i++)
            engine.Loop.Step();
        Assert.Equal(12, (await early)[0].Tokens.Length);
        Assert.False(longOne.IsCompleted, "77 tokens of 300 can't be the whole prompt");
        engine.Drain();
        Assert.Equal(HashModel.Greedy(Client.Prompt(2, 300), 2, VocabSize), (await longOne)[0].Tokens);
    }

    /// <summary>Any engine, any traffic, any interleaving: right tokens, one end each, no page lost.</summary>
    [Property(MaxTest = 150)]
    public void Schedule_OfAnyTraffic_GivesEachItsTokensAndLosesNoPage(int seed) => FuzzAsync(seed).GetAwaiter().GetResult();

    private static async Task FuzzAsync(int seed)
    {
        var random = new Random(seed);
        int blockSize = random.Next(1, 6);
        int numBlocks = random.Next(48 / blockSize, (160 / blockSize) + 1) + 1;
        int maxRunning = random.Next(1, 9);
        var observer = new RecordingObserver();
        var options = new EngineOptions
        {
            MaxRunning = maxRunning,
            MaxBatchedTokens = maxRunning + random.Next(20),
            EnablePrefixCaching = random.Next(4) > 0,
            MaxPromptLogProbTokens = random.Next(1, 9),
            Observer = observer,
        };
        await using var engine = new LlmEngine(new PagedHashRunner(blockSize: blockSize, numBlocks: numBlocks), options, startThread: false);
        int[] stem = Client.Prompt(seed ^ 77, 24);
        var traffic = new List<(GenerationRequest Request, Task<Answer[]> Task, CancellationTokenSource Cancel)>();
        int numRequests = random.Next(1, 14);
        while (traffic.Count < numRequests)
        {
            if (random.Next(3) == 0)
            {
                // Beginnings are shared often, so that the cache is hit, branched and evicted.
                int[] prompt = [.. stem.Take(random.Next(0, 25)), .. Client.Prompt(random.Next(3), random.Next(1, 12))];
                var request = Client.Request(prompt, Client.Greedy(random.Next(0, 13)) with
                {
                    N = random.Next(5) == 0 ? random.Next(2, 5) : 1,
                    PromptLogProbs = random.Next(6) == 0 ? 0 : null,
                });
                var cancel = new CancellationTokenSource();
                traffic.Add((request, engine.CollectAsync(request, cancel.Token), cancel));
            }

            for (int i = random.Next(4); i > 0; i--)
                engine.Loop.Step();
            if (random.Next(8) == 0 && traffic.Count > 0)
                await traffic[random.Next(traffic.Count)].Cancel.CancelAsync();
        }

        engine.Drain();
        foreach ((GenerationRequest request, Task<Answer[]> task, CancellationTokenSource cancel) in traffic)
        {
            using (cancel)
            {
                try
                {
                    foreach (Answer answer in await task)
                    {
                        Assert.Equal(HashModel.Greedy(request.PromptTokens, request.Sampling.MaxTokens!.Value, VocabSize), answer.Tokens);
                        Assert.Equal(FinishReason.Length, answer.Reason);
                    }
                }
                catch (OperationCanceledException) when (cancel.IsCancellationRequested)
                {
                }
            }
        }

        EngineStats stats = engine.GetStats();
        Assert.Equal((0, 0, 0), (stats.KvBlocksUsed, stats.Running, stats.Waiting));
        Assert.Equal(numRequests, stats.RequestsFinished + stats.RequestsCancelled);
        Assert.Equal(numRequests, observer.Finished.Count);
        Assert.Equal(numBlocks, engine.Loop.Blocks.AvailableInOrder().Distinct().Count());
    }
}
