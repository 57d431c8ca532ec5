using FsCheck.Xunit;
using Hadal.Engine.Tests.Fakes;

namespace Hadal.Engine.Tests;

/// <summary>Requests with different LoRA adapters in one engine: each computed with its own, no page shared across.</summary>
public sealed class AdapterTests
{
    private const int VocabSize = 61;

    [Property(MaxTest = 30)]
    public void Generate_WithAnyAdapters_GivesEachTheTokensOfItsOwn(int seed)
    {
        var random = new Random(seed);
        var runner = new PagedHashRunner(numBlocks: 24, blockSize: 4) { Adapters = ["a", "b"] };
        var engine = new LlmEngine(runner, new() { MaxBatchedTokens = random.Next(4, 30), MaxRunning = 4, EnablePrefixCaching = random.Next(3) > 0, Speculation = random.Next(2) == 0 ? new SpeculationOptions { Method = SpeculationMethod.Ngram, MinNgram = 1, Adaptive = false } : null }, startThread: false);
        var answers = new List<(int[] Prompt, int Adapter, Task<Answer[]> Task)>();
        for (int i = 0; i < 25; i++)
        {
            int[] prompt = [.. Client.Prompt(random.Next(2), random.Next(1, 20)), .. Client.Prompt(i % 3, random.Next(10))];
            int adapter = random.Next(3);
            answers.Add((prompt, adapter, engine.CollectAsync(Client.Request(prompt, Client.Greedy(20)) with { Adapter = Name(adapter) })));
            engine.Loop.Step();
        }

        engine.Drain();
        foreach ((int[] prompt, int adapter, Task<Answer[]> task) in answers)
            Assert.Equal(HashModel.Greedy(prompt, 20, VocabSize, adapter), task.GetAwaiter().GetResult()[0].Tokens);
        engine.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    [Fact]
    public async Task PrefixCache_IsSharedAmongRequestsOfOneAdapterOnly()
    {
        await using var engine = new LlmEngine(new PagedHashRunner(blockSize: 4) { Adapters = ["a", "b"] }, null, startThread: false);
        int[] prompt = Client.Prompt(1, 18);
        foreach ((string? adapter, int cached) in new (string?, int)[] { (null, 0), ("a", 0), ("b", 0), ("a", 16), (null, 16), ("b", 16) })
            Assert.Equal(cached, (await engine.RunAsync(Client.Request(prompt) with { Adapter = adapter })).Last.Usage.CachedTokens);
    }

    [Fact]
    public async Task Embed_WithAnAdapter_IsComputedWithIt()
    {
        await using var engine = new LlmEngine(new PagedHashRunner() { Adapters = ["a"] }, null, startThread: false);
        Task<EmbeddingResult> task = engine.EmbedAsync(new EmbeddingRequest { Id = "e", Tokens = [1, 2, 3], Pooling = Pooling.Last, Normalize = false, Adapter = "a" });
        engine.Drain();
        Assert.Equal(HashModel.LogitsAfter([1, 2, 3], 6, adapter: 1), (await task).Vector);
    }

    [Fact]
    public async Task Generate_WithAnAdapterThatIsNotThere_IsRefused()
    {
        await using var with = new LlmEngine(new PagedHashRunner() { Adapters = ["a"] }, null, startThread: false);
        await using var without = new LlmEngine(new PagedHashRunner(), null, startThread: false);
        Assert.Equal("model", Assert.Throws<InvalidRequestException>(() => with.GenerateAsync(Client.Request([1]) with { Adapter = "A" })).Parameter);
        Assert.Equal("model", Assert.Throws<InvalidRequestException>(() => without.GenerateAsync(Client.Request([1]) with { Adapter = "a" })).Parameter);
    }

    private static string? Name(int adapter) => adapter switch { 1 => "a", 2 => "b", _ => null };
}
