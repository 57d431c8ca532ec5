using Hadal.Engine.Requests;

namespace Hadal.Engine.Scheduling;

/// <summary>Requests that the engine lets go of: overdue ones, and those that lost their place in a full queue.</summary>
internal sealed partial class EngineLoop
{
    private readonly PriorityQueue<Request, long> _deadlines = new();

    internal int NumDeadlines => _deadlines.Count;

    private void NoteDeadline(Request request)
    {
        if (request.Deadline == long.MaxValue)
            return;
        _deadlines.Enqueue(request, request.Deadline);

        // What ended in time is still in there, and holds its prompt.
        if (_deadlines.Count <= 64 + (2 * _requests.Count))
            return;
        _deadlines.Clear();
        foreach (Request open in _requests)
        {
            if (open.Deadline != long.MaxValue)
                _deadlines.Enqueue(open, open.Deadline);
        }
    }

    private void DropOverdue()
    {
        if (_deadlines.Count == 0)
            return;
        long now = _time.GetTimestamp();
        while (_deadlines.TryPeek(out Request? request, out long deadline) && deadline <= now)
        {
            _deadlines.Dequeue();
            if (request.NumUnfinished > 0)
                Drop(request, new DeadlineExceededException(request.Timeout!.Value, request.HasStarted));
        }
    }

    private void DropShed()
    {
        foreach (Request request in _shed)
        {
            // One that was scheduled while it was being shed has its place already, and keeps it.
            if (!request.HasStarted && request.NumUnfinished > 0)
                Drop(request, new QueueFullException(_options.MaxQueue, wasShed: true));
        }
    }

    private void Drop(Request request, Exception reason)
    {
        request.DroppedBy = reason;
        FinishRequest(request, FinishReason.Dropped, error: null);
    }
}
