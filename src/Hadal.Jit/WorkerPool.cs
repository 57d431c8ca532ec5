using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace Hadal.Jit;

/// <summary>
/// A fixed crew of threads that run one piece of work at a time, together with the caller, and meet at a barrier.
/// </summary>
/// <remarks>
/// A decode step is some hundreds of operations of a few microseconds each, so between operations the workers spin;
/// after about a millisecond without work they park, so that an idle engine costs nothing.
/// One caller at a time. <see cref="Run{T}"/> allocates nothing.
/// </remarks>
public sealed unsafe class WorkerPool : IDisposable
{
    private readonly int _spinIterations;
    private readonly Thread[] _threads;
    private readonly SemaphoreSlim[] _parked;
    private readonly PaddedInt[] _sleeping;
    private delegate*<void*, int, int, void> _body;
    private void* _state;
    private long _ticket;
    private int _pending;
    private volatile bool _stopping;
    private ExceptionDispatchInfo? _failure;

    /// <param name="numWorkers">Workers in all, the caller among them; 0 for one per processor this process may use.</param>
    public WorkerPool(int numWorkers = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(numWorkers);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(numWorkers, short.MaxValue);
        NumWorkers = numWorkers == 0 ? Environment.ProcessorCount : numWorkers;
        // Spinning pays only while every worker has a core of its own.
        _spinIterations = NumWorkers <= Environment.ProcessorCount ? 4_000 : 10;
        _threads = new Thread[NumWorkers - 1];
        _parked = new SemaphoreSlim[NumWorkers];
        _sleeping = new PaddedInt[NumWorkers];
        for (int i = 1; i < NumWorkers; i++)
        {
            int worker = i;
            _parked[i] = new SemaphoreSlim(0);
            _threads[i - 1] = new Thread(() => Loop(worker)) { IsBackground = true, Name = $"hadal-worker-{worker}" };
            _threads[i - 1].Start();
        }
    }

    public int NumWorkers { get; }

    /// <summary>Runs the work on up to <paramref name="maxWorkers"/> workers and returns when all are done. An exception of any worker is thrown here.</summary>
    public void Run<T>(ref T work, int maxWorkers = int.MaxValue)
        where T : struct, IWork
    {
        int crew = Math.Min(NumWorkers, maxWorkers);
        if (crew <= 1)
        {
            work.Run(0, 1);
            return;
        }

        // The struct stays on this frame until every worker is done, so its address is good for them.
        _state = Unsafe.AsPointer(ref work);
        _body = &Invoke<T>;
        Volatile.Write(ref _pending, crew - 1);
        IssueTicket(crew);
        for (int i = 1; i < crew; i++)
        {
            if (Volatile.Read(ref _sleeping[i].Value) != 0 && Interlocked.Exchange(ref _sleeping[i].Value, 0) != 0)
            {
                _parked[i].Release();
            }
        }

        try
        {
            work.Run(0, crew);
        }
        finally
        {
            var spin = default(SpinWait);
            int tries = 0;
            while (Volatile.Read(ref _pending) != 0)
            {
                // On a machine with fewer cores than workers the last share may wait for this very core.
                if (++tries < _spinIterations)
                {
                    Thread.SpinWait(8);
                }
                else
                {
                    spin.SpinOnce(sleep1Threshold: -1);
                }
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
        IssueTicket(crew: 1);
        for (int i = 1; i < NumWorkers; i++)
        {
            _parked[i].Release();
            _threads[i - 1].Join();
            _parked[i].Dispose();
        }
    }

    private static void Invoke<T>(void* state, int worker, int numWorkers)
        where T : struct, IWork
        => Unsafe.AsRef<T>(state).Run(worker, numWorkers);

    // Round number and crew in one word: a worker that is late for a round it has no part in must not take the next round's crew for it.
    private void IssueTicket(int crew) => Interlocked.Exchange(ref _ticket, (((_ticket >> 16) + 1) << 16) | (uint)crew);

    private void Loop(int worker)
    {
        long seen = 0;
        while (true)
        {
            int tries = 0;
            while (Volatile.Read(ref _ticket) == seen)
            {
                if (++tries < _spinIterations)
                {
                    Thread.SpinWait(8);
                    continue;
                }

                // Announce the sleep, then look once more: a caller that missed the announcement has issued a new ticket.
                Interlocked.Exchange(ref _sleeping[worker].Value, 1);
                if (Volatile.Read(ref _ticket) == seen && !_stopping)
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

            seen = Volatile.Read(ref _ticket);
            int crew = (int)(seen & 0xFFFF);
            if (worker < crew)
            {
                try
                {
                    _body(_state, worker, crew);
                }
                catch (Exception e)
                {
                    // Carried to the caller: a worker must reach the barrier whatever happens.
                    Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(e), null);
                }

                Interlocked.Decrement(ref _pending);
            }
        }
    }
}
