using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Hadal.Engine;

namespace Hadal.Server.Generation;

/// <summary>Runs a job's prompts side by side in the engine and joins their events as they come.</summary>
internal static class PromptMerger
{
    public static IAsyncEnumerable<PromptEvent> RunAsync(GenerationJob job, CancellationToken cancellationToken) =>
        job.Prompts.Count == 1 ? RunOneAsync(job, cancellationToken) : RunManyAsync(job, cancellationToken);

    private static GenerationRequest Request(GenerationJob job, int promptIndex) => new()
    {
        Id = job.Prompts.Count == 1 ? job.Id : $"{job.Id}-{promptIndex}",
        PromptTokens = job.Prompts[promptIndex],
        Adapter = job.Model.Adapter,
        Sampling = job.Sampling,
        CreateConstraint = job.CreateConstraint,
        Priority = job.Terms.Priority ?? 0,
        Timeout = job.Terms.Timeout,
        Tenant = job.Tenant,
    };

    private static async IAsyncEnumerable<PromptEvent> RunOneAsync(GenerationJob job, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var e in job.Model.Engine.GenerateAsync(Request(job, 0), cancellationToken))
            yield return new PromptEvent(0, e);
    }

    private static async IAsyncEnumerable<PromptEvent> RunManyAsync(GenerationJob job, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);

        // Unbounded by type, bounded by max_tokens in fact: the engine must never wait for a reader.
        var channel = Channel.CreateUnbounded<PromptEvent>(new UnboundedChannelOptions { SingleReader = true });
        var pumps = new Task[job.Prompts.Count];
        for (int i = 0; i < pumps.Length; i++)
            pumps[i] = PumpAsync(job, i, channel.Writer, stop.Token);
        var all = CompleteAsync(pumps, channel.Writer);
        try
        {
            await foreach (var e in channel.Reader.ReadAllAsync(CancellationToken.None))
                yield return e;
        }
        finally
        {
            // Left early, or one prompt failed: the others must not go on for nobody.
            await stop.CancelAsync();
            await all;
        }
    }

    private static async Task PumpAsync(GenerationJob job, int promptIndex, ChannelWriter<PromptEvent> writer, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var e in job.Model.Engine.GenerateAsync(Request(job, promptIndex), cancellationToken))
                writer.TryWrite(new PromptEvent(promptIndex, e));
        }
        catch (Exception exception)
        {
            // The first failure is the request's; completing is idempotent.
            writer.TryComplete(exception);
            throw;
        }
    }

    private static async Task CompleteAsync(Task[] pumps, ChannelWriter<PromptEvent> writer)
    {
        await Task.WhenAll(pumps).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        writer.TryComplete();
    }
}
