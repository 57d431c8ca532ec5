using Hadal.Numerics;

namespace Hadal.Engine;

/// <summary>As many requests wait as may; try again later.</summary>
public sealed class QueueFullException(int limit)
    : HadalException($"The queue is full: {limit} requests are waiting, which is the limit (--max-queue). Try again later.")
{
    public int Limit { get; } = limit;
}
