using Hadal.Engine.Tests.Fakes;
using Hadal.Graph.Execution;
using Hadal.Numerics;

namespace Hadal.Engine.Tests;

/// <summary>A step that throws ends who caused it, and nobody else.</summary>
public sealed class IsolationTests
{
    private const int VocabSize = 61;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Step_ThatThrowsForOneRequest_EndsThatOneOnly(bool inPrefill)
    {
        const int Poison = 60;
        int at = inPrefill ? 0 : 3;
        int[] poisonPrompt = [Poison, 4, 5];
        var runner = new PagedHashRunner();
        bool armed = inPrefill;
        runner.BeforeStep = batch => ThrowForPrompt(batch, runner, armed);
        await using var engine = new LlmEngine(runner, null, startThread: false);
        var good = Enumerable.Range(0, 6).Select(i => (Prompt: new[] { i, i + 1, 9 }, Task: engine.CollectAsync(Client.Request([i, i + 1, 9], Client.Greedy(12))))).ToArray();
        Task<Answer[]> bad = engine.CollectAsync(Client.Request(poisonPrompt, Client.Greedy(12) with { N = inPrefill ? 1 : 2 }));
        for (int i = 0; i < at; i++)
            engine.Loop.Step();
        armed = true;
        engine.Drain();

        Assert.All(await bad, a => Assert.Equal((FinishReason.Error, "The model step failed: illegal instruction"), (a.Reason, a.Last.Error)));
        foreach ((int[] prompt, Task<Answer[]> task) in good)
            Assert.Equal(HashModel.Greedy(prompt, 12, VocabSize), (await task)[0].Tokens);
        EngineStats stats = engine.GetStats();
        Assert.Equal((6, 1, 0), (stats.RequestsFinished, stats.RequestsFailed, stats.KvBlocksUsed));
        Assert.Null(engine.Failure);
        return;

        static unsafe void ThrowForPrompt(StepBatch batch, PagedHashRunner runner, bool armed)
        {
            for (int b = 0; b < batch.NumSequences && armed; b++)
            {
                int page = batch.AsPagedBatch().BlockTables[b * batch.AsPagedBatch().MaxBlocksPerSequence];
                int first = batch.AsPagedBatch().CuSeqLens[b];
                int token = batch.AsPagedBatch().Positions[first] == 0 ? batch.Tokens[first] : runner.TokenAt(page, 0);
                if (token == Poison)
                    throw new HadalException("illegal instruction");
            }
        }
    }

    [Fact]
    public async Task Step_OnADeviceThatBroke_EndsAllAndRefusesTheNext()
    {
        await using var engine = new LlmEngine(new BreakingRunner(afterSteps: 3), null, startThread: false);
        var tasks = Enumerable.Range(0, 4).Select(i => engine.CollectAsync(Client.Request([i, 2], Client.Greedy(20)))).ToArray();
        engine.Drain();
        foreach (Task<Answer[]> task in tasks)
            Assert.Equal(FinishReason.Error, (await task)[0].Reason);
        Assert.Contains("illegal address", engine.Failure, StringComparison.Ordinal);
        EngineUnavailableException e = await Assert.ThrowsAsync<EngineUnavailableException>(() => engine.CollectAsync(Client.Request([1], Client.Greedy(1))));
        Assert.Contains("illegal address", e.Message, StringComparison.Ordinal);
        Assert.Equal((0, 0, 4), (engine.GetStats().Running, engine.GetStats().KvBlocksUsed, engine.GetStats().RequestsFailed));
    }

    private sealed class BreakingRunner(int afterSteps) : IModelRunner
    {
        private readonly PagedHashRunner _inner = new();
        private int _steps;

        public int VocabSize => _inner.VocabSize;

        public int MaxContextLen => _inner.MaxContextLen;

        public int BlockSize => _inner.BlockSize;

        public int NumBlocks => _inner.NumBlocks;

        public string? Failure { get; private set; }

        public ReadOnlySpan<float> Run(StepBatch batch)
        {
            Assert.Null(Failure); // a broken device is not asked again
            if (++_steps <= afterSteps)
                return _inner.Run(batch);
            Failure = "an illegal address";
            throw new HadalException("CUDA: an illegal address");
        }

        public void Dispose() => _inner.Dispose();
    }
}
