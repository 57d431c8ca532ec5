using Hadal.Engine.Requests;

namespace Hadal.Engine.Scheduling;

/// <summary>Waiting sequences in order of arrival, linked through themselves: removal is O(1), arrivals go to the end at once.</summary>
internal sealed class SequenceQueue
{
    private Sequence? _last;

    public Sequence? First { get; private set; }

    public int Count { get; private set; }

    /// <summary>Puts a sequence behind all that came before it. What was preempted came earlier than nearly all that wait, so the search starts at the front.</summary>
    public void Insert(Sequence sequence)
    {
        Sequence? after = _last is not null && _last.IsBefore(sequence) ? null : First;
        while (after is not null && after.IsBefore(sequence))
            after = after.Next;
        Sequence? before = after is null ? _last : after.Previous;
        sequence.Next = after;
        sequence.Previous = before;
        if (before is null)
            First = sequence;
        else
            before.Next = sequence;
        if (after is null)
            _last = sequence;
        else
            after.Previous = sequence;
        sequence.Queue = this;
        Count++;
    }

    public void Remove(Sequence sequence)
    {
        if (sequence.Previous is null)
            First = sequence.Next;
        else
            sequence.Previous.Next = sequence.Next;
        if (sequence.Next is null)
            _last = sequence.Previous;
        else
            sequence.Next.Previous = sequence.Previous;
        sequence.Previous = sequence.Next = null;
        sequence.Queue = null;
        Count--;
    }
}
