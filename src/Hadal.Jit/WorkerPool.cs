using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace Hadal.Jit;

/// <summary>
/// A fixed crew of threads that run one piece of work at a time, together with the caller, and meet at a barrier.
/// </summary>
/// <remarks>
/// A decode step is some hundreds of operations of a few microseconds each, so between operations the workers spin;
/// after about a millisecond without work they park, so that an idle engine costs nothing.
/// A worker does the share of its own number first, so that at every call it meets the data it met before; but shares are claimed, not assigned: on a
/// busy machine a worker may come late or not at all, and then another does its share instead of waiting for the operating system to give it a core.
/// Where memory has several nodes, workers are numbered node by node and each keeps to its node's processors: what a worker touches first lies in its node
/// (docs/kernels/packed.md, "Threads and NUMA"). The caller's own thread, worker 0, is left as it is.
/// One caller at a time. <see cref="Run{T}"/> allocates nothing.
/// </remarks>
public sealed unsafe class WorkerPool : IDisposable
{
    // The round above the number of shares, in one word: a late worker cannot mix up two rounds.
    private const int RoundShift = 16;
    private const long SharesMask = 0xFFFF;

    private readonly int _spinIterations;
    private readonly Thread[] _threads;
    private readonly SemaphoreSlim[] _parked;
    private readonly PaddedInt[] _sleeping;

    // The round that each share was last claimed in.
    private readonly PaddedLong[] _claimed;
    private readonly PaddedLong[] _runs;
    private delegate*<void*, int, int, void> _body;
    private void* _state;
    private PaddedLong _ticket;
    private PaddedInt _unfinished;
    private volatile bool _stopping;
    private ExceptionDispatchInfo? _failure;

    /// <param name="numWorkers">Workers in all, the caller among them; 0 for one per processor this process may use.</param>
    /// <param name="pinning">Whether workers stay on the processors of their memory node.</param>
    public WorkerPool(int numWorkers = 0, ThreadPinning pinning = ThreadPinning.Auto)
        : this(numWorkers, pinning, null)
    {
    }

    /// <param name="numWorkers">As above.</param>
    /// <param name="pinning">As above.</param>
    /// <param name="topology">The machine to believe to be on; null for this one.</param>
    internal WorkerPool(int numWorkers, ThreadPinning pinning, NumaTopology? topology)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(numWorkers);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(numWorkers, (int)short.MaxValue);
        NumWorkers = numWorkers == 0 ? Environment.ProcessorCount : numWorkers;
        // Spinning pays only while every worker has a core of its own.
        _spinIterations = NumWorkers <= Environment.ProcessorCount ? 4_000 : 10;
        _threads = new Thread[NumWorkers - 1];
        _parked = new SemaphoreSlim[NumWorkers];
        _sleeping = new PaddedInt[NumWorkers];
        _claimed = new PaddedLong[NumWorkers];
        _runs = new PaddedLong[NumWorkers];
        topology ??= NumWorkers == 1 || pinning == ThreadPinning.Off ? null : NumaTopology.Detect();
        bool pin = topology is not null && (pinning == ThreadPinning.On || (pinning == ThreadPinning.Auto && topology.Nodes.Count > 1));
        for (int i = 1; i < NumWorkers; i++)
        {
            int worker = i;
            int[] processors = pin ? topology!.Nodes[topology.NodeOf(worker, NumWorkers)] : [];
            _parked[i] = new SemaphoreSlim(0);
            _threads[i - 1] = new Thread(() => Loop(worker, processors)) { IsBackground = true, Name = $"hadal-worker-{worker}" };
            _threads[i - 1].Start();
        }
    }

    public int NumWorkers { get; }

    /// <summary>Cuts items into one run for each worker, for the next <see cref="Run{T}"/> with all workers. Allocates nothing.</summary>
    public WorkSplit Split(int items) => new(_runs, items, NumWorkers);

    /// <summary>Runs the work in up to <paramref name="maxWorkers"/> shares and returns when all are done. An exception of any share is thrown here.</summary>
    public void Run<T>(ref T work, int maxWorkers = int.MaxValue)
        where T : struct, IWork
    {
        int shares = Math.Min(NumWorkers, maxWorkers);
        if (shares <= 1)
        {
            work.Run(0, 1);
            return;
        }

        // The struct stays on this frame until every share is done, so its address is good for the workers.
        _state = Unsafe.AsPointer(ref work);
        _body = &Invoke<T>;
        Volatile.Write(ref _unfinished.Value, shares);
        long round = IssueTicket(shares);
        for (int i = 1; i < shares; i++)
        {
            Wake(i);
        }

        RunShares(worker: 0, round);
        for (int tries = 0; Volatile.Read(ref _unfinished.Value) != 0; tries++)
        {
            if (tries < _spinIterations)
            {
                Thread.SpinWait(4);
            }
            else
            {
                // A share was claimed and its worker lost its core: give it this one.
                Thread.Yield();
            }
        }

        if (_failure is { } failure)
        {
            _failure = null;
            failure.Throw();
        }
    }

    public void Dispose()
    {
        if (_stopping)
        {
            return;
        }

        _stopping = true;
        IssueTicket(shares: 0);
        for (int i = 1; i < NumWorkers; i++)
        {
            _parked[i].Release();
            _threads[i - 1].Join();
            _parked[i].Dispose();
        }
    }

    private static void Invoke<T>(void* state, int share, int numShares)
        where T : struct, IWork
        => Unsafe.AsRef<T>(state).Run(share, numShares);

    private long IssueTicket(int shares)
    {
        long round = (_ticket.Value >> RoundShift) + 1;
        Interlocked.Exchange(ref _ticket.Value, (round << RoundShift) | (long)shares);
        return round;
    }

    private void Wake(int worker)
    {
        if (Volatile.Read(ref _sleeping[worker].Value) != 0 && Interlocked.Exchange(ref _sleeping[worker].Value, 0) != 0)
        {
            _parked[worker].Release();
        }
    }

    /// <summary>Claims and runs shares of a round until none is left, the worker's own first.</summary>
    private void RunShares(int worker, long round)
    {
        long ticket = Volatile.Read(ref _ticket.Value);
        if (ticket >> RoundShift != round)
        {
            return;
        }

        int shares = (int)(ticket & SharesMask);
        for (int i = 0; i < shares; i++)
        {
            int share = (worker + i) % shares;
            // A round ends only when all its shares are claimed, so a worker that is late finds none below its round.
            long last = Volatile.Read(ref _claimed[share].Value);
            if (last >= round || Interlocked.CompareExchange(ref _claimed[share].Value, round, last) != last)
            {
                continue;
            }

            // A claimed share keeps the round open, so body and state are this round's.
            try
            {
                _body(_state, share, shares);
            }
            catch (Exception e)
            {
                // Carried to the caller: the barrier must be reached whatever happens.
                Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(e), null);
            }

            Interlocked.Decrement(ref _unfinished.Value);
        }
    }

    private void Loop(int worker, int[] processors)
    {
        if (processors.Length > 0)
        {
            // Advice only: a refusal (a sandbox, a cpuset that has just shrunk) changes nothing but speed.
            _ = ThreadAffinity.Set(processors);
        }

        long seen = 0;
        while (true)
        {
            int tries = 0;
            while (Volatile.Read(ref _ticket.Value) >> RoundShift == seen)
            {
                if (++tries < _spinIterations)
                {
                    Thread.SpinWait(8);
                    continue;
                }

                // Announce the sleep, then look once more: a caller that missed the announcement has issued a new ticket.
                Interlocked.Exchange(ref _sleeping[worker].Value, 1);
                if (Volatile.Read(ref _ticket.Value) >> RoundShift == seen && !_stopping)
                {
                    _parked[worker].Wait();
                }
                else if (Interlocked.Exchange(ref _sleeping[worker].Value, 0) == 0)
                {
                    // The caller saw it and is about to release: take that permit now.
                    _parked[worker].Wait();
                }

                tries = 0;
            }

            if (_stopping)
            {
                return;
            }

            seen = Volatile.Read(ref _ticket.Value) >> RoundShift;
            RunShares(worker, seen);
        }
    }
}
