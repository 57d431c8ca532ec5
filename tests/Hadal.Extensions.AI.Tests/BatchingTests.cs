using System.Diagnostics;
using Hadal.Engine;
using Microsoft.Extensions.AI;

namespace Hadal.Extensions.AI.Tests;

/// <summary>Callers on many threads share the engine's steps: nobody waits for a lock that another holds for a whole answer.</summary>
[Collection("one model")] // In turn: they count what it does.
public sealed class BatchingTests(DemoFixture demo)
{
    [Fact]
    public async Task GetResponse_32ThreadsAtOnce_ShareStepsAndAreFasterThanOneAfterAnother()
    {
        const int threads = 32, tokens = 48;
        using IChatClient client = demo.Model.AsChatClient();
        ChatOptions options = new() { Temperature = 0, MaxOutputTokens = tokens, AdditionalProperties = new() { ["ignore_eos"] = true } };
        CancellationToken ct = TestContext.Current.CancellationToken;
        _ = await client.GetResponseAsync("Warm up.", options, ct);

        (TimeSpan serial, EngineStats serialStats) = await MeasureAsync(async () =>
        {
            for (int i = 0; i < threads; i++)
                _ = await client.GetResponseAsync($"What is {i} + 3?", options, ct);
        });
        (TimeSpan together, EngineStats stats) = await MeasureAsync(() => Task.WhenAll(Enumerable.Range(0, threads).Select(i => Task.Factory.StartNew(
            () => client.GetResponseAsync($"What is {i} + 4?", options, ct).GetAwaiter().GetResult(), ct, TaskCreationOptions.LongRunning, TaskScheduler.Default))));

        Assert.Equal(threads * tokens, stats.GeneratedTokens);
        Assert.True(serialStats.Steps >= threads * tokens, $"{serialStats.Steps} steps one after another");
        Assert.True(stats.Steps < threads * tokens / 8, $"{stats.Steps} steps for {stats.GeneratedTokens} tokens of {threads} callers: they did not share them");
        Assert.True(together < serial / 1.5, $"{together.TotalMilliseconds:0} ms together, {serial.TotalMilliseconds:0} ms one after another");
        TestContext.Current.SendDiagnosticMessage($"together {together.TotalMilliseconds:0} ms in {stats.Steps} steps; one after another {serial.TotalMilliseconds:0} ms in {serialStats.Steps} steps");
    }

    private async Task<(TimeSpan Time, EngineStats Delta)> MeasureAsync(Func<Task> work)
    {
        EngineStats before = demo.Model.GetStats();
        var clock = Stopwatch.StartNew();
        await work();
        TimeSpan time = clock.Elapsed;
        EngineStats after = demo.Model.GetStats();
        return (time, new EngineStats { Steps = after.Steps - before.Steps, GeneratedTokens = after.GeneratedTokens - before.GeneratedTokens });
    }
}
