using Hadal.Engine.Tests.Fakes;
using Hadal.Numerics;

namespace Hadal.Engine.Tests;

public sealed class LlmEngineTests
{
    private const int VocabSize = 61;
    private static readonly int[] Prompt = Client.Prompt(1, 13);
    private static readonly int[] Expected = HashModel.Greedy(Prompt, 40, VocabSize);
    private static readonly EngineOptions WithText = new() { CreateDecoder = _ => new TableDecoder(TableDecoder.Letters) };

    [Fact]
    public async Task EndToken_EndsTheTextAndIsNoPartOfIt()
    {
        int firstAt = Array.IndexOf(Expected, Expected[6]);
        await using var engine = new LlmEngine(new PagedHashRunner(), WithText with { EosTokenIds = [Expected[6]] }, startThread: false);
        Answer answer = await engine.RunAsync(Client.Request(Prompt, Client.Greedy(40)));
        Assert.Equal(FinishReason.Stop, answer.Reason);
        Assert.Equal(Expected[..(firstAt + 1)], answer.Tokens);
        Assert.Equal(string.Concat(Expected[..firstAt].Select(t => TableDecoder.Letters[t])), answer.Text);
        Answer ignoring = await engine.RunAsync(Client.Request(Prompt, Client.Greedy(40) with { IgnoreEos = true }));
        Assert.Equal(Expected, ignoring.Tokens);
        Answer byId = await engine.RunAsync(Client.Request(Prompt, Client.Greedy(40) with { IgnoreEos = true, StopTokenIds = [Expected[2]] }));
        Assert.Equal(Array.IndexOf(Expected, Expected[2]) + 1, byId.Tokens.Length);
    }

    [Fact]
    public async Task MinTokens_BansTheEndUntilThen()
    {
        await using var engine = new LlmEngine(new PagedHashRunner(), new() { EosTokenIds = [Expected[0]] }, startThread: false);
        Assert.Single((await engine.RunAsync(Client.Request(Prompt))).Tokens);
        Answer answer = await engine.RunAsync(Client.Request(Prompt, Client.Greedy(8) with { MinTokens = 5 }));
        Assert.True(answer.Tokens.Length >= 5);
        Assert.DoesNotContain(Expected[0], answer.Tokens[..5]);
    }

    [Fact]
    public async Task StopString_OverTokens_EndsTheTextBeforeIt()
    {
        await using var engine = new LlmEngine(new PagedHashRunner(), WithText, startThread: false);
        string all = string.Concat(Expected.Select(t => TableDecoder.Letters[t]));
        string stop = all.Substring(10, 3);
        Answer answer = await engine.RunAsync(Client.Request(Prompt, Client.Greedy(40) with { Stop = ["zzzzzzz", stop] }));
        Assert.Equal((FinishReason.Stop, stop), (answer.Reason, answer.Last.StopString));
        Assert.Equal(all[..all.IndexOf(stop, StringComparison.Ordinal)], answer.Text);
        // What was held back comes out at the end when it became no stop string.
        Answer cut = await engine.RunAsync(Client.Request(Prompt, Client.Greedy(12) with { Stop = [all[10..20]] }));
        Assert.Equal((FinishReason.Length, all[..12]), (cut.Reason, cut.Text));
    }

    [Fact]
    public async Task Context_WhenFull_EndsWithLength()
    {
        await using var engine = new LlmEngine(new PagedHashRunner(maxContextLen: 20), null, startThread: false);
        Assert.Equal(7, (await engine.RunAsync(Client.Request(Prompt, new() { Temperature = 0 }))).Tokens.Length);
        Assert.Equal(7, (await engine.RunAsync(Client.Request(Prompt, Client.Greedy(1000)))).Tokens.Length);
        await using var fewPages = new LlmEngine(new PagedHashRunner(blockSize: 4, numBlocks: 4), null, startThread: false);
        Assert.Equal(4, (await fewPages.RunAsync(Client.Request(Prompt, new() { Temperature = 0 }))).Tokens.Length);
    }

    [Fact]
    public async Task LogProbs_OfPromptAndAnswer_AreThoseOfTheModel()
    {
        await using var engine = new LlmEngine(new PagedHashRunner(), new() { MaxPromptLogProbTokens = 5 }, startThread: false);
        await engine.RunAsync(Client.Request(Prompt)); // the cache must not keep prompt tokens from being computed
        Answer answer = await engine.RunAsync(Client.Request(Prompt, Client.Greedy(4) with { LogProbs = 2, PromptLogProbs = 1, LogitBias = new Dictionary<int, float> { [3] = 50 } }));
        IReadOnlyList<TokenLogProb?> prompt = answer.Events[0].PromptLogProbs!;
        Assert.Equal(Prompt.Length, prompt.Count);
        Assert.Null(prompt[0]);
        int[] all = [.. Prompt, .. answer.Tokens];
        for (int i = 1; i < all.Length; i++)
        {
            float[] row = HashModel.LogitsAfter(all.AsSpan(0, i), VocabSize);
            double logSum = Math.Log(row.Sum(x => Math.Exp(x)));
            TokenLogProb actual = i < Prompt.Length ? prompt[i]! : answer.Events[i - Prompt.Length].LogProb!;
            Assert.Equal(all[i], actual.TokenId);
            Assert.Equal(row[all[i]] - logSum, actual.LogProb, 1e-5);
            Assert.Equal(i < Prompt.Length ? 1 : 2, actual.Top.Count);
            Assert.Equal(row.Max() - logSum, actual.Top[0].LogProb, 1e-5);
        }

        Assert.All(answer.Events.Skip(1), e => Assert.Null(e.PromptLogProbs));
        Assert.All(answer.Tokens, t => Assert.Equal(3, t));
    }

    [Fact]
    public async Task MaxTokensZero_ComputesThePromptOnly()
    {
        await using var engine = new LlmEngine(new PagedHashRunner(), null, startThread: false);
        Answer answer = await engine.RunAsync(Client.Request(Prompt, Client.Greedy(0) with { PromptLogProbs = 0 }));
        Assert.Equal((FinishReason.Length, -1), (answer.Reason, answer.Last.TokenId));
        Assert.Equal(Prompt.Length, answer.Last.PromptLogProbs!.Count);
    }

    [Fact]
    public async Task Seed_WhateverElseRuns_GivesTheSameTokens()
    {
        async Task<int[]> RunAsync(int others, ulong seed)
        {
            await using var engine = new LlmEngine(new PagedHashRunner(), new() { MaxBatchedTokens = 64 }, startThread: false);
            for (int i = 0; i < others; i++)
                _ = engine.CollectAsync(Client.Request(Client.Prompt(i + 5, 9), new() { MaxTokens = 30 }));
            return (await engine.RunAsync(Client.Request(Prompt, new() { MaxTokens = 20, Seed = seed }))).Tokens;
        }

        int[] alone = await RunAsync(0, 9);
        Assert.Equal(alone, await RunAsync(17, 9));
        Assert.NotEqual(alone, await RunAsync(0, 10));
    }

    [Fact]
    public async Task FailedStep_EndsItsRequestsAndTheEngineLivesOn()
    {
        bool fails = false;
        var runner = new PagedHashRunner { BeforeStep = _ => ThrowIf(fails) };
        static void ThrowIf(bool fails)
        {
            if (fails)
                throw new HadalException("no more memory");
        }

        await using var engine = new LlmEngine(runner, new() { MaxRunning = 1 }, startThread: false);
        Task<Answer[]> running = engine.CollectAsync(Client.Request(Prompt, Client.Greedy(8) with { N = 3 }));
        Task<Answer[]> waiting = engine.CollectAsync(Client.Request(Client.Prompt(2, 5)));
        engine.Loop.Step();
        fails = true;
        engine.Loop.Step();
        fails = false;
        engine.Drain();
        Assert.All(await running, a => Assert.Equal((FinishReason.Error, "The model step failed: no more memory"), (a.Reason, a.Last.Error)));
        Assert.Equal(HashModel.Greedy(Client.Prompt(2, 5), 8, VocabSize), (await waiting)[0].Tokens);
        Assert.Equal((1, 1, 0), (engine.GetStats().RequestsFailed, engine.GetStats().RequestsFinished, engine.GetStats().KvBlocksUsed));
    }

    [Fact]
    public async Task NanLogits_EndThatSequenceOnly()
    {
        int poison = Expected[3];
        var runner = new PagedHashRunner { AfterRow = (token, logits, at) => logits[at + 60] = token == poison ? float.NaN : logits[at + 60] };
        await using var engine = new LlmEngine(runner, null, startThread: false);
        Task<Answer[]> bad = engine.CollectAsync(Client.Request(Prompt, Client.Greedy(40)));
        int[] other = [1, 2];
        int[] expected = [.. HashModel.Greedy(other, 40, VocabSize).TakeWhile(t => t != poison)];
        Task<Answer[]> good = engine.CollectAsync(Client.Request(other, Client.Greedy(expected.Length)));
        engine.Drain();
        Assert.Equal(FinishReason.Error, (await bad)[0].Reason);
        Assert.Contains("NaN", (await bad)[0].Last.Error, StringComparison.Ordinal);
        Assert.Equal(expected, (await good)[0].Tokens);
    }

    [Fact]
    public async Task QueueFull_RefusesAndRecovers()
    {
        await using var engine = new LlmEngine(new PagedHashRunner(), new() { MaxRunning = 1, MaxQueue = 1 }, startThread: false);
        Task<Answer[]>[] two = [engine.CollectAsync(Client.Request(Prompt)), engine.CollectAsync(Client.Request(Prompt))];
        Assert.Equal(1, (await Assert.ThrowsAsync<QueueFullException>(() => engine.CollectAsync(Client.Request(Prompt)))).Limit);
        engine.Drain();
        await Task.WhenAll(two);
        Assert.Equal(Expected[..8], (await engine.RunAsync(Client.Request(Prompt))).Tokens);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Cancel_WhileRunning_FreesThePagesBeforeTheNextStep(bool byToken)
    {
        var observer = new RecordingObserver();
        await using var engine = new LlmEngine(new PagedHashRunner(), new() { Observer = observer }, startThread: false);
        using var cancel = new CancellationTokenSource();
        IAsyncEnumerator<GenerationEvent> events = engine.GenerateAsync(Client.Request(Prompt, Client.Greedy(300) with { N = 2 }), cancel.Token).GetAsyncEnumerator();
        ValueTask<bool> next = events.MoveNextAsync();
        engine.Loop.Step();
        engine.Loop.Step();
        Assert.True(await next);
        Assert.True(engine.GetStats().KvBlocksUsed > 0);
        if (byToken)
        {
            await cancel.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            {
                while (await events.MoveNextAsync())
                {
                }
            });
        }

        await events.DisposeAsync();
        Assert.False(engine.Loop.Step());
        Assert.Equal((0, 0, 1), (engine.GetStats().KvBlocksUsed, engine.GetStats().Running, engine.GetStats().RequestsCancelled));
        Assert.Equal(FinishReason.Cancelled, Assert.Single(observer.Finished).Reason);
    }

    [Fact]
    public async Task Dispose_WithRequestsUnderWay_EndsThemAsCancelled()
    {
        var runner = new PagedHashRunner(maxContextLen: 100_000, numBlocks: 30_000);
        var engine = new LlmEngine(runner, new() { MaxRunning = 1 });
        var tasks = Enumerable.Range(0, 3).Select(i => engine.CollectAsync(Client.Request(Client.Prompt(i, 5), Client.Greedy(50_000)))).ToArray();
        await engine.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(20));
        Assert.All(await Task.WhenAll(tasks), a => Assert.Equal(FinishReason.Cancelled, a[0].Reason));
        Assert.True(runner.IsDisposed);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => engine.CollectAsync(Client.Request(Prompt)));
        await engine.DisposeAsync();
    }

    [Fact]
    public async Task Threads_ManyAtOnceWithCancellations_LoseNothing()
    {
        await using var engine = new LlmEngine(new PagedHashRunner(numBlocks: 60), new() { MaxRunning = 8, MaxBatchedTokens = 32 });
        int numCancelled = 0;
        async Task WorkAsync(int worker)
        {
            var random = new Random(worker);
            for (int i = 0; i < 25; i++)
            {
                int[] prompt = [.. Client.Prompt(random.Next(4), 12), .. Client.Prompt(random.Next(100), random.Next(1, 10))];
                int num = random.Next(1, 30);
                using var cancel = new CancellationTokenSource();
                Task<Answer[]> task = engine.CollectAsync(Client.Request(prompt, Client.Greedy(num)), cancel.Token);
                if (random.Next(4) == 0)
                {
                    await Task.Yield();
                    await cancel.CancelAsync();
                }

                try
                {
                    Assert.Equal(HashModel.Greedy(prompt, num, VocabSize), (await task)[0].Tokens);
                }
                catch (OperationCanceledException) when (cancel.IsCancellationRequested)
                {
                    Interlocked.Increment(ref numCancelled);
                }
            }
        }

        await Task.WhenAll(Enumerable.Range(0, 12).Select(w => Task.Run(() => WorkAsync(w)))).WaitAsync(TimeSpan.FromSeconds(30));
        for (int i = 0; i < 500 && engine.GetStats() is { Running: > 0 } or { Waiting: > 0 }; i++)
            await Task.Delay(10);
        EngineStats stats = engine.GetStats();
        Assert.Equal((0, 0, 0), (stats.KvBlocksUsed, stats.Running, stats.Waiting));
        Assert.Equal(300, stats.RequestsFinished + stats.RequestsCancelled);
        Assert.True(stats.RequestsCancelled <= numCancelled);
    }

    [Fact]
    public async Task Observer_IsToldTimesAndEnds()
    {
        var time = new ManualTime();
        var observer = new RecordingObserver();
        var runner = new PagedHashRunner { BeforeStep = _ => time.Advance(10) };
        await using var engine = new LlmEngine(runner, new() { Observer = observer, TimeProvider = time }, startThread: false);
        Task<Answer[]> task = engine.CollectAsync(Client.Request(Prompt, Client.Greedy(3)));
        time.Advance(5);
        engine.Drain();
        await task;
        static TimeSpan Ms(int ms) => TimeSpan.FromMilliseconds(ms);
        Assert.Equal([Ms(5)], observer.QueueTimes);
        Assert.Equal([Ms(15)], observer.FirstTokens);
        Assert.Equal([Ms(10), Ms(10)], observer.NextTokens);
        Assert.Equal([(Ms(10), 13, 1), (Ms(10), 1, 1), (Ms(10), 1, 1)], observer.Steps);
        Assert.Equal([(FinishReason.Length, new TokenUsage(13, 3, 0), Ms(35))], observer.Finished);
        Assert.Equal(0.03, engine.GetStats().StepSeconds, 1e-9);
    }

    [Fact]
    public async Task Decode_InTheSteadyState_AllocatesTheEventsOnly()
    {
        const int NumSequences = 16;
        await using var engine = new LlmEngine(new PagedHashRunner(maxContextLen: 4096, numBlocks: 16 * 1024), WithText, startThread: false);
        var tasks = Enumerable.Range(0, NumSequences).Select(i => engine.CollectAsync(Client.Request(
            Client.Prompt(i, 5), new() { MaxTokens = 1000, TopK = 10, TopP = 0.9f, FrequencyPenalty = 0.1f, Stop = ["###"] }))).ToArray();
        // An event object is about 100 bytes; a channel's segments add a slot of 8 to 16 and doublings of token lists and block tables a few more.
        const int BytesPerToken = 160;
        long best = long.MaxValue;
        for (int round = 0; round < 60 && best > BytesPerToken; round++)
        {
            // Until the JIT has optimised everything, generic math boxes: the best of many rounds is the steady state.
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 16; i++)
                engine.Loop.Step();
            best = Math.Min(best, (GC.GetAllocatedBytesForCurrentThread() - before) / (16 * NumSequences));
        }

        Assert.InRange(best, 1, BytesPerToken);
        Assert.DoesNotContain(tasks, t => t.IsCompleted);
    }
}
