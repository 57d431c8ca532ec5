using Hadal.Engine.Requests;

namespace Hadal.Engine.Scheduling;

/// <summary>Where callers leave requests and cancellations for the loop, and where the loop sleeps when there is nothing to do. Thread-safe.</summary>
internal sealed class Inbox(int maxQueue, int maxRunning)
{
    private readonly object _gate = new(); // waited and pulsed on, which System.Threading.Lock cannot
    private readonly Queue<Request> _arrivals = new();
    private readonly Queue<Request> _cancellations = new();
    private readonly Queue<Request> _shed = new();

    // Those that have not started, by class; in each in order of arrival.
    private readonly SortedDictionary<int, LinkedList<Request>> _queued = [];
    private int _numQueued;
    private int _numFreePlaces = maxRunning;
    private bool _stopping;
    private Exception? _closedBy;

    /// <summary>Requests here or in the scheduler that have not started.</summary>
    public int NumQueued => Volatile.Read(ref _numQueued);

    public bool IsStopping => Volatile.Read(ref _stopping);

    /// <summary>
    /// How many could start if they were here; the loop keeps it. Requests that will start at the next step wait for nobody and do not count against the limit.
    /// </summary>
    public int NumFreePlaces
    {
        set => Volatile.Write(ref _numFreePlaces, value);
    }

    /// <summary>Why nothing comes in any more; null while the engine takes requests or was only told to stop.</summary>
    public Exception? ClosedBy => Volatile.Read(ref _closedBy);

    /// <summary>A full queue gives up its least urgent, newest request for one that is more urgent.</summary>
    /// <exception cref="QueueFullException">As many wait as may, none of them less urgent.</exception>
    public void Submit(Request request)
    {
        lock (_gate)
        {
            if (_closedBy is not null)
                throw _closedBy is ObjectDisposedException ? new ObjectDisposedException(nameof(LlmEngine)) : new EngineUnavailableException(_closedBy.Message, _closedBy);
            ObjectDisposedException.ThrowIf(_stopping, typeof(LlmEngine));
            if (_numQueued >= maxQueue + Volatile.Read(ref _numFreePlaces))
                ShedFor(request);
            if (!_queued.TryGetValue(request.Priority, out LinkedList<Request>? queue))
                _queued.Add(request.Priority, queue = new LinkedList<Request>());
            request.QueuePlace = queue.AddLast(request);
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
    public void Take(List<Request> arrivals, List<Request> cancellations, List<Request> shed)
    {
        lock (_gate)
        {
            while (_shed.TryDequeue(out Request? request))
                shed.Add(request);
            while (_arrivals.TryDequeue(out Request? request))
                arrivals.Add(request);
            while (_cancellations.TryDequeue(out Request? request))
                cancellations.Add(request);
        }
    }

    /// <summary>A request that was queued is so no more.</summary>
    public void Unqueue(Request request)
    {
        lock (_gate)
            Leave(request);
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

    private void ShedFor(Request request)
    {
        int lowest = _queued.Count == 0 ? int.MinValue : _queued.Keys.Last();
        if (lowest <= request.Priority)
            throw new QueueFullException(maxQueue);
        Request victim = _queued[lowest].Last!.Value;
        Leave(victim);
        _shed.Enqueue(victim);
    }

    private void Leave(Request request)
    {
        if (request.QueuePlace is not { } place)
            return;
        request.QueuePlace = null;
        LinkedList<Request> queue = place.List!;
        queue.Remove(place);
        if (queue.Count == 0)
            _queued.Remove(request.Priority);
        _numQueued--;
    }

    /// <summary>From now on nothing comes in; later callers learn why.</summary>
    public void Close(Exception reason)
    {
        lock (_gate)
            _closedBy ??= reason;
    }
}
