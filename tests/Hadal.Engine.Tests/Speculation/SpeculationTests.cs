using FsCheck.Xunit;
using Hadal.Engine.Tests.Fakes;
using Hadal.Graph.Execution;
using Hadal.Numerics;

namespace Hadal.Engine.Tests.Speculation;

/// <summary>Whatever is guessed, the answers are those of the engine without guesses: tokens, texts, reasons, log-probabilities.</summary>
public sealed class SpeculationTests
{
    // Few tokens, so that repetitions are found and guesses are right now and then.
    private const int VocabSize = 5;

    public enum Kind
    {
        Ngram,
        Mtp,
        SpoiledMtp,
        Model,
        SpoiledModel,
    }

    [Theory]
    [InlineData(Kind.Mtp, 1)]
    [InlineData(Kind.Mtp, 2)]
    [InlineData(Kind.Mtp, 4)]
    [InlineData(Kind.Model, 1)]
    [InlineData(Kind.Model, 4)]
    public async Task Draft_ByAPerfectDrafter_IsAlwaysAccepted(Kind kind, int numDrafts)
    {
        var runner = new PagedHashRunner(blockSize: 4);
        MtpHashRunner mtp = new(runner) { ChecksContext = true };
        SpeculationOptions speculation = Options(kind, numDrafts, runner) with { Adaptive = false };
        await using var engine = new LlmEngine(kind == Kind.Mtp ? mtp : runner, new() { MaxRunning = 4, MaxBatchedTokens = 32, EnablePrefixCaching = false, Speculation = speculation }, startThread: false);
        int[][] prompts = [Client.Prompt(1, 3), Client.Prompt(2, 50), Client.Prompt(3, 17), Client.Prompt(4, 1)];
        Task<Answer[]>[] tasks = [.. prompts.Select(p => engine.CollectAsync(Client.Request(p, Client.Greedy(41))))];
        engine.Drain();
        for (int i = 0; i < prompts.Length; i++)
        {
            Answer answer = (await tasks[i])[0];
            Assert.Equal(HashModel.Greedy(prompts[i], 41, 61), answer.Tokens);
            Assert.Equal(0, answer.Last.Usage.RejectedPredictionTokens);
            Assert.True(answer.Last.Usage.AcceptedPredictionTokens >= 19, $"{answer.Last.Usage}");
        }

        SpeculationStats stats = engine.GetStats().Speculation!;
        Assert.Equal(stats.Drafted, stats.Accepted);
        Assert.Equal(numDrafts, stats.DraftedByPosition.Count);
        Assert.All(stats.AcceptedByPosition, n => Assert.True(n > 0));
        Assert.False(stats.HasFailed);
        // 41 tokens in steps of 1 + numDrafts, and the prompts' own steps before.
        Assert.True(engine.GetStats().Steps <= (41 / (1 + numDrafts)) + 12, $"{engine.GetStats().Steps} steps");
        Assert.Equal(0, engine.GetStats().KvBlocksUsed);
    }

    [Fact]
    public async Task Draft_OfWhatWasSaid_IsFoundByNgram()
    {
        // A model that says its prompt again and again.
        int[] song = [1, 2, 3, 4, 0, 2, 2, 1];
        int step = 0;
        await using var engine = new LlmEngine(new SongRunner(new PagedHashRunner(VocabSize), song), new() { Speculation = new() { Method = SpeculationMethod.Ngram, MaxDraftTokens = 4, Adaptive = false } }, startThread: false);
        Task<Answer[]> task = engine.CollectAsync(Client.Request(song, Client.Greedy(60)));
        while (engine.Loop.Step())
            step++;
        Answer answer = (await task)[0];
        Assert.Equal(Enumerable.Range(0, 60).Select(i => song[i % song.Length]), answer.Tokens);
        Assert.True(answer.Last.Usage.AcceptedPredictionTokens > 40, $"{answer.Last.Usage}");
        Assert.True(step < 20, $"{step} steps");
    }

    [Fact]
    public void Steps_InTheSteadyState_AllocateNothingButEvents()
    {
        int[] song = [1, 2, 3, 4, 0, 2, 2, 1];
        double plain = BytesPerToken(null);
        double ngram = BytesPerToken(new() { Method = SpeculationMethod.Ngram, MaxDraftTokens = 4, Adaptive = false });
        double model = BytesPerToken(new() { Method = SpeculationMethod.DraftModel, MaxDraftTokens = 4, Adaptive = false, DraftModel = new SongRunner(new PagedHashRunner(VocabSize, 4096, numBlocks: 4096), song) });
        Assert.True(ngram <= plain + 1 && model <= plain + 1, $"bytes a token: {plain:0.0} without speculation, {ngram:0.0} by ngram, {model:0.0} by a draft model");

        double BytesPerToken(SpeculationOptions? speculation)
        {
            var runner = new SongRunner(new PagedHashRunner(VocabSize, 4096, numBlocks: 4096), song);
            var engine = new LlmEngine(runner, new() { MaxRunning = 4, Speculation = speculation }, startThread: false);
            Task<Answer[]>[] tasks = [.. Enumerable.Range(0, 3).Select(_ => engine.CollectAsync(Client.Request(song, Client.Greedy(1200))))];
            for (int i = 0; i < 60; i++)
                engine.Loop.Step();

            // The least of many short windows: a list that doubles, or a reader's queue that grows because the reader fell behind, is in few of them.
            double least = double.PositiveInfinity;
            for (int window = 0; window < 20; window++)
            {
                long tokensBefore = engine.GetStats().GeneratedTokens;
                long before = GC.GetAllocatedBytesForCurrentThread();
                for (int i = 0; i < 5; i++)
                    engine.Loop.Step();
                long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
                long tokens = engine.GetStats().GeneratedTokens - tokensBefore;
                Assert.True(speculation is null || tokens > 3 * 5 * 2, $"{tokens} tokens in 5 steps");
                least = Math.Min(least, allocated / (double)tokens);
            }

            engine.DisposeAsync().AsTask().GetAwaiter().GetResult();
            return least;
        }
    }

    /// <summary>Any engine, any traffic, any drafter: the same as without.</summary>
    [Property(MaxTest = 300)]
    public void Answers_WithAndWithoutSpeculation_AreTheSame(int seed) => FuzzAsync(seed).GetAwaiter().GetResult();

    [Theory]
    [InlineData(Kind.SpoiledMtp)]
    [InlineData(Kind.SpoiledModel)]
    [InlineData(Kind.Ngram)]
    public async Task Preemption_WithTooFewPages_GivesTheSameTokensAndNoMorePreemptionsThanBefore(Kind kind)
    {
        async Task<(int[][] Tokens, long Preemptions)> RunAsync(bool speculates)
        {
            var runner = new PagedHashRunner(VocabSize, blockSize: 2, numBlocks: 14);
            await using var engine = new LlmEngine(Runner(kind, runner), new() { MaxRunning = 8, MaxBatchedTokens = 40, Speculation = speculates ? Options(kind, 4, runner) with { Adaptive = false } : null }, startThread: false);
            Task<Answer[]>[] tasks = [.. Enumerable.Range(0, 6).Select(i => engine.CollectAsync(Client.Request(Client.Prompt(i, 3, VocabSize), Client.Greedy(18))))];
            engine.Drain();
            Assert.Equal(0, engine.GetStats().KvBlocksUsed);
            return ([.. (await Task.WhenAll(tasks)).Select(a => a[0].Tokens)], engine.GetStats().Preemptions);
        }

        (int[][] plain, long preemptions) = await RunAsync(false);
        (int[][] speculative, long others) = await RunAsync(true);
        Assert.Equal(plain, speculative);
        Assert.True(preemptions > 0);
        Assert.True(others <= preemptions, $"{others} preemptions with speculation, {preemptions} without");
    }

    [Fact]
    public async Task PrefixCache_AfterRejectedDrafts_HoldsOnlyWhatWasSaid()
    {
        var runner = new PagedHashRunner(VocabSize, blockSize: 2);
        await using var engine = new LlmEngine(Runner(Kind.SpoiledMtp, runner), new() { Speculation = Options(Kind.SpoiledMtp, 4, runner) with { Adaptive = false } }, startThread: false);
        int[] prompt = Client.Prompt(1, 6, VocabSize);
        Answer first = await engine.RunAsync(Client.Request(prompt, Client.Greedy(20)));
        Assert.True(first.Last.Usage.RejectedPredictionTokens > 0);
        // The answer as a prompt: its pages are found, and what they hold goes on as the bare model does.
        int[] longer = [.. prompt, .. first.Tokens];
        Answer second = await engine.RunAsync(Client.Request(longer, Client.Greedy(20)));
        Assert.True(second.Last.Usage.CachedTokens >= 24, $"{second.Last.Usage}");
        Assert.Equal(HashModel.Greedy(longer, 20, VocabSize), second.Tokens);
    }

    [Fact]
    public async Task Drafter_ThatThrows_EndsSpeculationAndNoRequest()
    {
        var runner = new PagedHashRunner(VocabSize);
        var mtp = new MtpHashRunner(runner);
        int runs = 0;
        mtp.BeforeMtp = () =>
        {
            if (++runs == 4)
                throw new InvalidOperationException("the layer is broken");
        };
        await using var engine = new LlmEngine(mtp, new() { Speculation = Options(Kind.Mtp, 3, runner) with { Adaptive = false } }, startThread: false);
        int[] prompt = Client.Prompt(1, 6, VocabSize);
        Answer answer = await engine.RunAsync(Client.Request(prompt, Client.Greedy(30)));
        Assert.Equal(HashModel.Greedy(prompt, 30, VocabSize), answer.Tokens);
        Assert.True(engine.GetStats().Speculation!.HasFailed);
        Assert.Equal(4, runs);
        Assert.Equal(0, engine.GetStats().KvBlocksUsed);
    }

    [Fact]
    public async Task Drafts_LeaveTheBudgetToThoseWhoMustBeComputed()
    {
        // Two that decode and a long prompt, in steps of four tokens: drafts would take all that the prompt needs.
        var runner = new PagedHashRunner(VocabSize);
        await using var engine = new LlmEngine(Runner(Kind.Mtp, runner), new() { MaxRunning = 4, MaxBatchedTokens = 4, Speculation = Options(Kind.Mtp, 4, runner) with { Adaptive = false } }, startThread: false);
        Task<Answer[]>[] early = [.. Enumerable.Range(0, 2).Select(i => engine.CollectAsync(Client.Request(Client.Prompt(i, 2, VocabSize), Client.Greedy(60))))];
        engine.Loop.Step();
        engine.Loop.Step();
        Task<Answer[]> late = engine.CollectAsync(Client.Request(Client.Prompt(7, 40, VocabSize), Client.Greedy(2)));
        for (int i = 0; i < 30; i++)
            engine.Loop.Step();
        Assert.Equal(HashModel.Greedy(Client.Prompt(7, 40, VocabSize), 2, VocabSize), (await late)[0].Tokens);
        engine.Drain();
        await Task.WhenAll(early);
    }

    [Fact]
    public async Task Relaxed_TakesGuessesThatAreNearlyAsLikely()
    {
        async Task<Answer> RunAsync(float? relaxed)
        {
            var runner = new PagedHashRunner(VocabSize);
            // The layer always proposes what it finds second best.
            var mtp = new MtpHashRunner(runner);
            SpeculationOptions options = Options(Kind.Mtp, 1, runner) with { Adaptive = false, Relaxed = relaxed };
            mtp.Spoils = _ => true;
            await using var engine = new LlmEngine(mtp, new() { Speculation = options }, startThread: false);
            return await engine.RunAsync(Client.Request(Client.Prompt(1, 6, VocabSize), Client.Greedy(40)));
        }

        Answer strict = await RunAsync(null);
        Assert.Equal(HashModel.Greedy(Client.Prompt(1, 6, VocabSize), 40, VocabSize), strict.Tokens);
        // No share is small enough to forbid anything: all drafts are taken.
        Answer loose = await RunAsync(1e-30f);
        Assert.Equal(0, loose.Last.Usage.RejectedPredictionTokens);
        Assert.NotEqual(strict.Tokens, loose.Tokens);
        // Only the most likely one is as likely as itself.
        Assert.Equal(strict.Tokens, (await RunAsync(1f)).Tokens);
    }

    [Fact]
    public void Options_ThatCannotBe_AreRefused()
    {
        var runner = new PagedHashRunner();
        Refused(new() { Method = SpeculationMethod.Mtp }, "MTP layer");
        Refused(new() { Method = SpeculationMethod.DraftModel }, "DraftModel");
        Refused(new() { Method = SpeculationMethod.Ngram, DraftModel = runner }, "Ngram");
        Refused(new() { Method = SpeculationMethod.DraftModel, DraftModel = new PagedHashRunner(60) }, "vocabulary of 60");
        Refused(new() { Method = SpeculationMethod.DraftModel, DraftModel = new PagedHashRunner(numBlocks: 255) }, "255 KV pages");
        Refused(new() { Method = SpeculationMethod.DraftModel, DraftModel = new PagedHashRunner(blockSize: 8) }, "of 8 tokens");
        Refused(new() { Method = SpeculationMethod.Ngram, MaxDraftTokens = 0 }, "MaxDraftTokens is 0");
        Refused(new() { Method = SpeculationMethod.Ngram, MaxDraftTokens = 17 }, "MaxDraftTokens is 17");
        Refused(new() { Method = SpeculationMethod.Ngram, Relaxed = float.NaN }, "Relaxed");
        Refused(new() { Method = SpeculationMethod.Ngram, Relaxed = 1.5f }, "Relaxed");
        Refused(new() { Method = SpeculationMethod.Ngram, MinNgram = 3, MaxNgram = 2 }, "MinNgram");

        void Refused(SpeculationOptions options, string part)
            => Assert.Contains(part, Assert.Throws<HadalException>(() => new LlmEngine(runner, new() { Speculation = options }, startThread: false)).Message, StringComparison.Ordinal);
    }

    private static async Task FuzzAsync(int seed)
    {
        var random = new Random(seed);
        var kind = (Kind)random.Next(5);
        int blockSize = random.Next(1, 6);
        int numBlocks = random.Next(64 / blockSize, (200 / blockSize) + 1) + 1;
        int maxRunning = random.Next(1, 9);
        bool onDevice = kind is Kind.Ngram or Kind.Model or Kind.SpoiledModel && random.Next(2) == 0;
        var options = new EngineOptions
        {
            MaxRunning = maxRunning,
            MaxBatchedTokens = maxRunning + random.Next(30),
            EnablePrefixCaching = random.Next(4) > 0,
            EosTokenIds = random.Next(2) == 0 ? [4] : [],
            CreateDecoder = _ => new TableDecoder(TableDecoder.Letters),
        };
        SpeculationOptions speculation = new()
        {
            Method = SpeculationMethod.Ngram,
            MaxDraftTokens = random.Next(1, 6),
            MaxDraftTokensPerStep = random.Next(1, 40),
            Adaptive = random.Next(3) == 0,
            MinNgram = 1,
        };
        List<GenerationRequest> requests = [];
        int[] stem = Client.Prompt(seed ^ 77, 24, VocabSize);
        for (int i = random.Next(1, 10); i > 0; i--)
        {
            int[] prompt = [.. stem.Take(random.Next(0, 25)), .. Client.Prompt(random.Next(3), random.Next(1, 12), VocabSize)];
            int modulus = random.Next(1, 4);
            int from = random.Next(6);
            int length = from + random.Next(1, 20);
            requests.Add(Client.Request(prompt, new()
            {
                Temperature = random.Next(2) == 0 ? 0 : random.NextSingle() + 0.2f,
                TopP = random.Next(3) == 0 ? 0.8f : 1,
                TopK = random.Next(3) == 0 ? 3 : 0,
                MinP = random.Next(3) == 0 ? 0.05f : 0,
                RepetitionPenalty = random.Next(3) == 0 ? 1.2f : 1,
                FrequencyPenalty = random.Next(3) == 0 ? 0.3f : 0,
                LogitBias = random.Next(3) == 0 ? new Dictionary<int, float> { [2] = 1 } : null,
                Seed = (ulong)random.Next(),
                MaxTokens = random.Next(0, 24),
                Stop = random.Next(4) == 0 ? ["bcd", "aab"] : [],
                LogProbs = random.Next(4) == 0 ? 2 : null,
                PromptLogProbs = random.Next(6) == 0 ? 0 : null,
                N = random.Next(5) == 0 ? random.Next(2, 5) : 1,
            }) with
            {
                CreateConstraint = random.Next(4) == 0 ? () => new CycleConstraint(VocabSize, modulus, from, length) : null,
            });
        }

        int schedule = random.Next();
        Answer[][] plain = await RunAsync(null);
        Answer[][] speculative = await RunAsync(speculation);
        for (int i = 0; i < requests.Count; i++)
        {
            for (int n = 0; n < plain[i].Length; n++)
            {
                Assert.Equal(plain[i][n].Tokens, speculative[i][n].Tokens);
                Assert.Equal(plain[i][n].Text, speculative[i][n].Text);
                Assert.Equal((plain[i][n].Reason, plain[i][n].Last.StopString), (speculative[i][n].Reason, speculative[i][n].Last.StopString));
                Assert.Equal(LogProbs(plain[i][n]), LogProbs(speculative[i][n]));
                Assert.Equal(plain[i][n].Events[0].PromptLogProbs?.Select(p => p?.LogProb), speculative[i][n].Events[0].PromptLogProbs?.Select(p => p?.LogProb));
            }
        }

        async Task<Answer[][]> RunAsync(SpeculationOptions? speculate)
        {
            var inner = new PagedHashRunner(VocabSize, blockSize: blockSize, numBlocks: numBlocks);
            if (speculate is not null)
            {
                SpeculationOptions ofKind = Options(kind, 1, inner);
                speculate = speculate with { Method = ofKind.Method, DraftModel = ofKind.DraftModel };
            }

            await using var engine = new LlmEngine(onDevice ? new SamplingHashRunner(inner) : Runner(kind, inner), options with { Speculation = speculate }, startThread: false);
            var arrivals = new Random(schedule);
            List<Task<Answer[]>> tasks = [];
            foreach (GenerationRequest request in requests)
            {
                tasks.Add(engine.CollectAsync(request));
                for (int i = arrivals.Next(4); i > 0; i--)
                    engine.Loop.Step();
            }

            engine.Drain();
            EngineStats stats = engine.GetStats();
            Assert.Equal((0, 0, 0), (stats.KvBlocksUsed, stats.Running, stats.Waiting));
            Assert.Equal(numBlocks, engine.Loop.Blocks.AvailableInOrder().Distinct().Count());
            Assert.False(stats.Speculation?.HasFailed ?? false, "the drafter failed");
            Assert.True(inner.LargestStep <= options.MaxBatchedTokens, "drafts are part of the budget");
            Answer[][] answers = await Task.WhenAll(tasks);
            if (speculate is not null)
            {
                Assert.Equal(stats.Speculation!.Accepted, answers.Sum(a => a.Sum(c => c.Last.Usage.AcceptedPredictionTokens)));
                Assert.Equal(stats.Speculation.Drafted - stats.Speculation.Accepted, answers.Sum(a => a.Sum(c => c.Last.Usage.RejectedPredictionTokens)));
            }

            return answers;
        }
    }

    private static IEnumerable<(int, float)?> LogProbs(Answer answer) => answer.Events.Select(e => e.LogProb is { } p ? (p.TokenId, p.LogProb) : ((int, float)?)null);

    private static IModelRunner Runner(Kind kind, PagedHashRunner inner) => kind switch
    {
        Kind.Mtp => new MtpHashRunner(inner),
        Kind.SpoiledMtp => new MtpHashRunner(inner) { Spoils = hash => hash % 3 == 0 },
        _ => inner,
    };

    private static SpeculationOptions Options(Kind kind, int numDrafts, PagedHashRunner main) => new()
    {
        Method = kind switch
        {
            Kind.Ngram => SpeculationMethod.Ngram,
            Kind.Mtp or Kind.SpoiledMtp => SpeculationMethod.Mtp,
            _ => SpeculationMethod.DraftModel,
        },
        MaxDraftTokens = numDrafts,
        MinNgram = 1,
        DraftModel = kind switch
        {
            Kind.Model => new PagedHashRunner(main.VocabSize, main.MaxContextLen, main.BlockSize, main.NumBlocks),
            Kind.SpoiledModel => new PagedHashRunner(main.VocabSize, main.MaxContextLen / 8, main.BlockSize, main.NumBlocks)
            {
                AfterRow = (token, logits, at) =>
                {
                    if (token % 2 == 0)
                        logits.AsSpan(at, main.VocabSize).Reverse();
                },
            },
            _ => null,
        },
    };

    /// <summary>Says a song, whose next token follows from the position alone.</summary>
    private sealed unsafe class SongRunner(PagedHashRunner inner, int[] song) : IModelRunner
    {
        private float[] _logits = [];

        public int VocabSize => inner.VocabSize;

        public int MaxContextLen => inner.MaxContextLen;

        public int BlockSize => inner.BlockSize;

        public int NumBlocks => inner.NumBlocks;

        public ReadOnlySpan<float> Run(StepBatch batch)
        {
            inner.Run(batch);
            if (_logits.Length < batch.NumLogitRows * VocabSize)
                _logits = new float[2 * batch.NumLogitRows * VocabSize];
            Array.Clear(_logits);
            int* positions = batch.AsPagedBatch().Positions;
            for (int row = 0; row < batch.NumLogitRows; row++)
                _logits[(row * VocabSize) + song[(positions[batch.LogitRows[row]] + 1) % song.Length]] = 1;
            return _logits.AsSpan(0, batch.NumLogitRows * VocabSize);
        }

        public void Dispose() => inner.Dispose();
    }
}
