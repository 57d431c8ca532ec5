namespace Hadal.Server.Access;

/// <summary>How much was used in the last minute, in steps of a second, against a limit. Thread-safe.</summary>
internal sealed class SlidingWindow(long limit, TimeProvider time)
{
    private const int NumSeconds = 60;

    private readonly Lock _lock = new();
    private readonly long[] _bySecond = new long[NumSeconds];
    private readonly long _origin = time.GetTimestamp();
    private long _second;
    private long _used;

    public long Limit => limit;

    /// <summary>Takes it where it fits.</summary>
    /// <param name="amount">At most the limit, else it never fits.</param>
    /// <param name="retryAfter">When it would fit, where it does not now.</param>
    public bool TryTake(long amount, out TimeSpan retryAfter)
    {
        lock (_lock)
        {
            double now = Advance();
            retryAfter = TimeSpan.Zero;
            if (_used + amount > limit)
            {
                retryAfter = Until(now, limit - amount);
                return false;
            }

            Use(amount);
            return true;
        }
    }

    /// <summary>Takes what was used already, also beyond the limit: then the next one waits the longer.</summary>
    public void Add(long amount)
    {
        lock (_lock)
        {
            Advance();
            Use(amount);
        }
    }

    /// <summary>What is left, and when all of it will be there again.</summary>
    public (long Remaining, TimeSpan Reset) Now()
    {
        lock (_lock)
        {
            double now = Advance();
            return (Math.Max(0, limit - _used), _used == 0 ? TimeSpan.Zero : Until(now, 0));
        }
    }

    private void Use(long amount)
    {
        _bySecond[_second % NumSeconds] += amount;
        _used += amount;
    }

    private double Advance()
    {
        double now = time.GetElapsedTime(_origin).TotalSeconds;
        long second = (long)now;
        for (long skipped = Math.Max(_second + 1, second - NumSeconds + 1); skipped <= second; skipped++)
        {
            _used -= _bySecond[skipped % NumSeconds];
            _bySecond[skipped % NumSeconds] = 0;
        }

        _second = Math.Max(_second, second);
        return now;
    }

    /// <summary>Time until no more than so much counts: the oldest seconds leave first.</summary>
    private TimeSpan Until(double now, long rest)
    {
        long used = _used;
        for (long second = _second - NumSeconds + 1; second <= _second; second++)
        {
            used -= second < 0 ? 0 : _bySecond[second % NumSeconds];
            if (used <= rest)
                return TimeSpan.FromSeconds(Math.Max(0, second + NumSeconds - now));
        }

        return TimeSpan.FromSeconds(NumSeconds);
    }
}
