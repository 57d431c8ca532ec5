using Hadal.Numerics;

namespace Hadal.Engine;

/// <summary>As many requests wait as may; try again later.</summary>
public sealed class QueueFullException(int limit, bool wasShed = false)
    : HadalException(wasShed
        ? $"A more urgent request took this one's place in the queue, which is full: {limit} requests are waiting, which is the limit (--max-queue). Try again later."
        : $"The queue is full: {limit} requests are waiting, which is the limit (--max-queue). Try again later.")
{
    public int Limit { get; } = limit;

    /// <summary>It waited and lost its place to a more urgent one.</summary>
    public bool WasShed { get; } = wasShed;
}
