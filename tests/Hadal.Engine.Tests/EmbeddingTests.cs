using FsCheck.Xunit;
using Hadal.Engine.Tests.Fakes;
using Hadal.Numerics;

namespace Hadal.Engine.Tests;

/// <summary>However prompts are cut, batched, cached and preempted, the vector is the pooled hidden states of the bare model.</summary>
public sealed class EmbeddingTests
{
    private const int Width = 6;

    [Theory]
    [InlineData(Pooling.Mean, 1)]
    [InlineData(Pooling.Mean, 7)]
    [InlineData(Pooling.Mean, 512)]
    [InlineData(Pooling.Last, 1)]
    [InlineData(Pooling.Last, 7)]
    [InlineData(Pooling.Last, 512)]
    public async Task Embed_InChunksOfAnySize_GivesThePooledHiddenStates(Pooling pooling, int budget)
    {
        var runner = new PagedHashRunner();
        await using var engine = new LlmEngine(runner, new() { MaxBatchedTokens = budget, MaxRunning = 1 }, startThread: false);
        int[] prompt = Client.Prompt(2, 50);
        EmbeddingResult result = await RunAsync(engine, Request(prompt, pooling));
        Close(Expected(prompt, pooling, normalize: true), result.Vector);
        Assert.Equal(new TokenUsage(50, 0, 0), result.Usage);
        Assert.Equal(0, runner.NumLogitRows);
        Assert.Equal(0, engine.GetStats().KvBlocksUsed);
    }

    [Property(MaxTest = 30)]
    public void Embed_AmongAnswersAndFewPages_IsWhatItIsAlone(int seed)
    {
        var random = new Random(seed);
        var runner = new PagedHashRunner(numBlocks: 24, blockSize: 4);
        var engine = new LlmEngine(runner, new() { MaxBatchedTokens = random.Next(4, 30), MaxRunning = 4, EnablePrefixCaching = random.Next(2) == 0, Speculation = random.Next(2) == 0 ? new SpeculationOptions { Method = SpeculationMethod.Ngram, MinNgram = 1, Adaptive = false } : null }, startThread: false);
        var embeddings = new List<(int[] Prompt, Pooling Pooling, Task<EmbeddingResult> Task)>();
        var answers = new List<(int[] Prompt, Task<Answer[]> Task)>();
        for (int i = 0; i < 25; i++)
        {
            int[] prompt = [.. Client.Prompt(random.Next(3), random.Next(1, 20)), .. Client.Prompt(i, random.Next(20))];
            Pooling pooling = (Pooling)random.Next(2);
            if (random.Next(3) == 0)
                answers.Add((prompt, engine.CollectAsync(Client.Request(prompt, Client.Greedy(30)))));
            else
                embeddings.Add((prompt, pooling, engine.EmbedAsync(Request(prompt, pooling))));
            engine.Loop.Step();
        }

        engine.Drain();
        foreach ((int[] prompt, Pooling pooling, Task<EmbeddingResult> task) in embeddings)
            Close(Expected(prompt, pooling, normalize: true), task.GetAwaiter().GetResult().Vector);
        foreach ((int[] prompt, Task<Answer[]> task) in answers)
            Assert.Equal(HashModel.Greedy(prompt, 30, 61), task.GetAwaiter().GetResult()[0].Tokens);
        Assert.Equal(0, engine.GetStats().KvBlocksUsed);
        engine.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    [Fact]
    public async Task Embed_AfterTheSamePrompt_TakesTheCacheOnlyForTheLastToken()
    {
        await using var engine = new LlmEngine(new PagedHashRunner(blockSize: 4), null, startThread: false);
        int[] prompt = Client.Prompt(1, 18);
        await engine.RunAsync(Client.Request(prompt));
        EmbeddingResult last = await RunAsync(engine, Request(prompt, Pooling.Last));
        EmbeddingResult mean = await RunAsync(engine, Request(prompt, Pooling.Mean));
        Assert.Equal(16, last.Usage.CachedTokens);
        Assert.Equal(0, mean.Usage.CachedTokens);
        Close(Expected(prompt, Pooling.Last, normalize: true), last.Vector);
        Close(Expected(prompt, Pooling.Mean, normalize: true), mean.Vector);
    }

    [Fact]
    public async Task Embed_WithDimensions_CutsAndThenNormalises()
    {
        await using var engine = new LlmEngine(new PagedHashRunner(), null, startThread: false);
        int[] prompt = Client.Prompt(3, 9);
        float[] whole = (await RunAsync(engine, Request(prompt, Pooling.Mean) with { Normalize = false })).Vector;
        float[] cut = (await RunAsync(engine, Request(prompt, Pooling.Mean) with { Dimensions = 3 })).Vector;
        Close(Expected(prompt, Pooling.Mean, normalize: false), whole);
        double length = Math.Sqrt(whole.Take(3).Sum(v => (double)v * v));
        Close([.. whole.Take(3).Select(v => (float)(v / length))], cut);
        Assert.Equal(1, cut.Sum(v => (double)v * v), 5);
    }

    [Fact]
    public async Task Embed_OfWhatCannotBe_IsRefusedByField()
    {
        await using var engine = new LlmEngine(new PagedHashRunner(maxContextLen: 32, numBlocks: 4, blockSize: 4), null, startThread: false);
        Assert.Equal("input", Refusal(Request([], Pooling.Mean)));
        Assert.Equal("input", Refusal(Request([61], Pooling.Mean)));
        Assert.Equal("input", Refusal(Request([-1], Pooling.Mean)));
        Assert.Equal("input", Refusal(Request(Client.Prompt(1, 33), Pooling.Mean)));
        Assert.Equal("input", Refusal(Request(Client.Prompt(1, 18), Pooling.Mean)));
        Assert.Equal("dimensions", Refusal(Request([1], Pooling.Mean) with { Dimensions = 0 }));
        Assert.Equal("dimensions", Refusal(Request([1], Pooling.Mean) with { Dimensions = 7 }));

        // A whole context is fine: nothing is to come after it.
        Assert.Equal(Width, (await RunAsync(engine, Request(Client.Prompt(1, 16), Pooling.Mean))).Vector.Length);

        string Refusal(EmbeddingRequest request)
            => Assert.Throws<InvalidRequestException>(() => { _ = engine.EmbedAsync(request); }).Parameter;
    }

    [Fact]
    public async Task Embed_WhenTheStepFails_SaysWhyAndTheNextGoesOn()
    {
        var runner = new PagedHashRunner();
        await using var engine = new LlmEngine(runner, null, startThread: false);
        runner.BeforeStep = _ => throw new InvalidOperationException("the kernel broke");
        HadalException e = await Assert.ThrowsAsync<HadalException>(() => RunAsync(engine, Request([1, 2, 3], Pooling.Mean)));
        Assert.Contains("the kernel broke", e.Message, StringComparison.Ordinal);
        runner.BeforeStep = null;
        Assert.Equal(Width, (await RunAsync(engine, Request([1, 2, 3], Pooling.Mean))).Vector.Length);
    }

    [Fact]
    public async Task Embed_Cancelled_FreesItsPages()
    {
        using var stop = new CancellationTokenSource();
        await using var engine = new LlmEngine(new PagedHashRunner(), new() { MaxBatchedTokens = 4, MaxRunning = 1 }, startThread: false);
        Task<EmbeddingResult> task = engine.EmbedAsync(Request(Client.Prompt(1, 40), Pooling.Mean), stop.Token);
        engine.Loop.Step();
        await stop.CancelAsync();
        engine.Drain();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => task);
        Assert.Equal(0, engine.GetStats().KvBlocksUsed);
    }

    private static EmbeddingRequest Request(int[] prompt, Pooling pooling) => new() { Id = "e", Tokens = prompt, Pooling = pooling };

    private static async Task<EmbeddingResult> RunAsync(LlmEngine engine, EmbeddingRequest request)
    {
        Task<EmbeddingResult> task = engine.EmbedAsync(request);
        engine.Drain();
        return await task;
    }

    private static float[] Expected(int[] prompt, Pooling pooling, bool normalize)
    {
        var sum = new double[Width];
        for (int n = pooling == Pooling.Last ? prompt.Length : 1; n <= prompt.Length; n++)
        {
            float[] row = HashModel.LogitsAfter(prompt.AsSpan(0, n), Width);
            for (int i = 0; i < Width; i++)
                sum[i] += row[i];
        }

        double divisor = normalize ? Math.Sqrt(sum.Sum(v => v * v)) : pooling == Pooling.Last ? 1 : prompt.Length;
        return [.. sum.Select(v => (float)(v / divisor))];
    }

    private static void Close(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], 1e-5f);
    }
}
