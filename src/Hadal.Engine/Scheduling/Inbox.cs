using Hadal.Engine.Requests;

namespace Hadal.Engine.Scheduling;

/// <summary>Where callers leave requests and cancellations for the loop, and where the loop sleeps when there is nothing to do. Thread-safe.</summary>
internal sealed class Inbox(int maxQueue)
{
    private readonly object _gate = new(); // waited and pulsed on, which System.Threading.Lock cannot
    private readonly Queue<Request> _arrivals = new();
    private readonly Queue<Request> _cancellations = new();
    private int _numQueued;
    private bool _stopping;
    private Exception? _closedBy;

    /// <summary>Requests here or in the scheduler that have not started.</summary>
    public int NumQueued => Volatile.Read(ref _numQueued);

    public bool IsStopping => Volatile.Read(ref _stopping);

    /// <exception cref="QueueFullException">As many wait as may.</exception>
    public void Submit(Request request)
    {
        lock (_gate)
        {
            if (_closedBy is not null)
                throw _closedBy is ObjectDisposedException ? new ObjectDisposedException(nameof(LlmEngine)) : new Hadal.Numerics.HadalException("The engine has stopped because its loop failed; restart the process. " + _closedBy.Message, _closedBy);
            ObjectDisposedException.ThrowIf(_stopping, typeof(LlmEngine));
            if (_numQueued >= maxQueue)
                throw new QueueFullException(maxQueue);
            _numQueued++;
            _arrivals.Enqueue(request);
            Monitor.Pulse(_gate);
        }
    }

    public void Cancel(Request request)
    {
        lock (_gate)
        {
            if (_closedBy is not null)
                return;
            _cancellations.Enqueue(request);
            Monitor.Pulse(_gate);
        }
    }

    /// <summary>Tells the loop to end.</summary>
    public void Stop()
    {
        lock (_gate)
        {
            _stopping = true;
            Monitor.Pulse(_gate);
        }
    }

    /// <summary>Takes all that came in. A request's arrival always comes out before its cancellation.</summary>
    public void Take(List<Request> arrivals, List<Request> cancellations)
    {
        lock (_gate)
        {
            while (_arrivals.TryDequeue(out Request? request))
                arrivals.Add(request);
            while (_cancellations.TryDequeue(out Request? request))
                cancellations.Add(request);
        }
    }

    /// <summary>A request that was queued is so no more.</summary>
    public void Unqueue()
    {
        lock (_gate)
            _numQueued--;
    }

    /// <summary>Sleeps until something comes in or the loop is to end.</summary>
    public void Wait()
    {
        lock (_gate)
        {
            while (!_stopping && _arrivals.Count == 0 && _cancellations.Count == 0)
                Monitor.Wait(_gate);
        }
    }

    /// <summary>From now on nothing comes in; later callers learn why.</summary>
    public void Close(Exception reason)
    {
        lock (_gate)
            _closedBy ??= reason;
    }
}
