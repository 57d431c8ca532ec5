using System.Diagnostics;
using Hadal.Engine.Tests.Fakes;
using Hadal.Graph.Execution;

namespace Hadal.Engine.Tests;

/// <summary>What a step costs beside the model: scheduling, laying out the batch, greedy choice, events.</summary>
public sealed class StepOverheadTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Step_OfABatchOf256_CostsLittleAndInProportion()
    {
        double small = await MicrosecondsAsync(32);
        double large = await MicrosecondsAsync(256);
        output.WriteLine($"step overhead: {small:F1} us at batch 32, {large:F1} us at batch 256");

        // The figure (docs/serving.md) is for quiet machines; what must hold anywhere is that the cost does not grow faster than the batch.
        Assert.True(large < Math.Max(small, 5) * 8 * 2.5, $"{large:F1} us at 256, {small:F1} us at 32");
        Assert.True(large < 5_000, $"{large:F1} us");
    }

    private static async Task<double> MicrosecondsAsync(int batch)
    {
        await using var engine = new LlmEngine(new ConstantRunner(batch), new() { MaxRunning = batch, MaxBatchedTokens = Math.Max(512, batch) }, startThread: false);
        using var stop = new CancellationTokenSource();
        Task[] readers = [.. Enumerable.Range(0, batch).Select(i => ReadAsync(engine, i, stop.Token))];
        double best = double.MaxValue;
        for (int round = 0; round < 60; round++)
        {
            const int Steps = 20;
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < Steps; i++)
                engine.Loop.Step();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalMicroseconds / Steps);
        }

        Assert.Equal(batch, engine.GetStats().Running);
        await stop.CancelAsync();
        engine.Drain();
        foreach (Task reader in readers)
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reader);
        return best;
    }

    private static async Task ReadAsync(LlmEngine engine, int i, CancellationToken cancellationToken)
    {
        await foreach (GenerationEvent e in engine.GenerateAsync(Client.Request([i % 60, i / 60], Client.Greedy(4000)), cancellationToken))
            Assert.Null(e.Error);
    }

    private sealed class ConstantRunner(int maxSequences) : IModelRunner
    {
        private readonly float[] _logits = new float[512 * 64];

        public int VocabSize => 64;

        public int MaxContextLen => 4096;

        public int BlockSize => 16;

        public int NumBlocks => maxSequences * 256;

        public ReadOnlySpan<float> Run(StepBatch batch) => _logits.AsSpan(0, batch.NumLogitRows * VocabSize);

        public void Dispose()
        {
        }
    }
}
