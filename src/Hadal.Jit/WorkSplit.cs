namespace Hadal.Jit;

/// <summary>
/// Items 0…n − 1 cut into one run of neighbours per worker. A worker takes pieces from the front of its run, ever smaller ones, and when it has none left,
/// from the end of the longest run of another: memory is read in order, a worker meets the same items at every call (so what it touched first stays near
/// it), and nobody waits for a slow one longer than an item takes.
/// </summary>
/// <remarks>Made by <see cref="WorkerPool.Split"/>; good for one <see cref="WorkerPool.Run{T}"/>. Shares and workers may differ in number: an untaken share's run is taken by the others.</remarks>
public readonly struct WorkSplit
{
    // Each share's run as (end, next) in one word, on a cache line of its own.
    private readonly PaddedLong[] _runs;
    private readonly int _shares;

    internal WorkSplit(PaddedLong[] runs, int items, int shares)
    {
        _runs = runs;
        _shares = shares;
        for (int i = 0; i < shares; i++)
        {
            runs[i].Value = Pack((int)((long)items * i / shares), (int)((long)items * (i + 1) / shares));
        }
    }

    /// <summary>The next piece for a share.</summary>
    /// <returns>False when nothing is left anywhere.</returns>
    public bool Next(int share, out int first, out int count)
    {
        while (true)
        {
            long run = Volatile.Read(ref _runs[share].Value);
            int left = End(run) - First(run);
            if (left <= 0)
            {
                return Steal(out first, out count);
            }

            count = Math.Max(1, left / 4);
            first = First(run);
            if (Interlocked.CompareExchange(ref _runs[share].Value, Pack(first + count, End(run)), run) == run)
            {
                return true;
            }
        }
    }

    private bool Steal(out int first, out int count)
    {
        while (true)
        {
            int longest = 0;
            long run = 0;
            for (int i = 0; i < _shares; i++)
            {
                long other = Volatile.Read(ref _runs[i].Value);
                if (End(other) - First(other) > End(run) - First(run))
                {
                    longest = i;
                    run = other;
                }
            }

            int left = End(run) - First(run);
            if (left <= 0)
            {
                first = count = 0;
                return false;
            }

            count = Math.Max(1, left / 4);
            first = End(run) - count;
            if (Interlocked.CompareExchange(ref _runs[longest].Value, Pack(First(run), first), run) == run)
            {
                return true;
            }
        }
    }

    private static long Pack(int first, int end) => ((long)end << 32) | (uint)first;

    private static int First(long run) => (int)run;

    private static int End(long run) => (int)(run >> 32);
}
