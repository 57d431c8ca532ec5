using System.Collections.Concurrent;
using System.Diagnostics;

namespace Hadal.Cli.Bench.Serving;

/// <summary>
/// Sends requests by a plan. Open loop: they arrive when the plan has them arrive, however slow the server is, so that what it makes them wait is seen.
/// Closed loop: as many run as may, and each end begins the next.
/// </summary>
internal sealed class LoadGenerator(LoadPlan plan, CompletionClient client, IPromptSource prompts)
{
    private readonly ConcurrentQueue<RequestOutcome> _outcomes = new();
    private long _started;
    private int _running;
    private int _peak;
    private long _numDone;
    private long _numFailed;
    private long _numTexts;
    private long _next = -1;

    public int Running => Volatile.Read(ref _running);

    public long NumDone => Interlocked.Read(ref _numDone);

    public long NumFailed => Interlocked.Read(ref _numFailed);

    /// <summary>Chunks with text so far, over all requests.</summary>
    public long NumTexts => Interlocked.Read(ref _numTexts);

    /// <summary>The most that ran at once.</summary>
    public int Peak => Volatile.Read(ref _peak);

    public TimeSpan Elapsed => _started == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(_started);

    /// <summary>Runs to the end, or until <paramref name="cancellationToken"/> ends it; then requests under way count as interrupted.</summary>
    public async Task<IReadOnlyCollection<RequestOutcome>> RunAsync(CancellationToken cancellationToken)
    {
        _started = Stopwatch.GetTimestamp();
        await (double.IsFinite(plan.RequestRate) ? OpenLoopAsync(cancellationToken) : ClosedLoopAsync(cancellationToken)).ConfigureAwait(false);
        return _outcomes;
    }

    private async Task OpenLoopAsync(CancellationToken cancellationToken)
    {
        var arrivals = new Arrivals(plan.RequestRate, plan.Burstiness, plan.Seed);
        using SemaphoreSlim? places = plan.MaxConcurrency is { } most ? new SemaphoreSlim(most) : null;
        var running = new List<Task>();
        TimeSpan due = TimeSpan.Zero;
        try
        {
            while (!cancellationToken.IsCancellationRequested && TakeNext(due) is { } index)
            {
                TimeSpan wait = due - Elapsed;
                if (wait > TimeSpan.Zero)
                {
                    await Task.Delay(wait, cancellationToken).ConfigureAwait(false);
                }

                if (places is not null)
                {
                    await places.WaitAsync(cancellationToken).ConfigureAwait(false);
                }

                running.Add(OneAsync(index, Elapsed - due, places, cancellationToken));
                due += arrivals.Next();
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // What runs ends by the same token; it is waited for below.
        }

        await Task.WhenAll(running).ConfigureAwait(false);
    }

    private async Task ClosedLoopAsync(CancellationToken cancellationToken)
    {
        long most = Math.Min(plan.MaxConcurrency ?? long.MaxValue, plan.NumPrompts ?? long.MaxValue);
        var clients = new List<Task>();
        for (long i = 0; i < most; i++)
        {
            clients.Add(ClientAsync(cancellationToken));
        }

        await Task.WhenAll(clients).ConfigureAwait(false);
    }

    private async Task ClientAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested && TakeNext(Elapsed) is { } index)
        {
            await OneAsync(index, TimeSpan.Zero, places: null, cancellationToken).ConfigureAwait(false);
        }
    }

    private long? TakeNext(TimeSpan due)
    {
        if (plan.Duration is { } duration && due >= duration)
        {
            return null;
        }

        long index = Interlocked.Increment(ref _next);
        return index < (plan.NumPrompts ?? long.MaxValue) ? index : null;
    }

    private async Task OneAsync(long index, TimeSpan lag, SemaphoreSlim? places, CancellationToken cancellationToken)
    {
        int running = Interlocked.Increment(ref _running);
        for (int peak = Peak; running > peak && Interlocked.CompareExchange(ref _peak, running, peak) != peak; peak = Peak)
        {
        }

        RequestOutcome outcome = await client.SendAsync(prompts.Get(index), lag, () => Interlocked.Increment(ref _numTexts), cancellationToken).ConfigureAwait(false);
        Interlocked.Decrement(ref _running);
        places?.Release();
        _outcomes.Enqueue(outcome);
        Interlocked.Increment(ref _numDone);
        if (outcome.Error is not null)
        {
            Interlocked.Increment(ref _numFailed);
        }
    }
}
