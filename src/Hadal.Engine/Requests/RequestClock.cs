namespace Hadal.Engine.Requests;

/// <summary>Durations in the engine's timestamps.</summary>
internal readonly struct RequestClock(TimeProvider time, TimeSpan ageing)
{
    /// <summary>What one class of priority is worth; at least 1.</summary>
    public long AgeingTicks { get; } = Math.Max(1, (long)(ageing.TotalSeconds * time.TimestampFrequency));

    public long After(long timestamp, TimeSpan span) => timestamp + (long)Math.Min(span.TotalSeconds * time.TimestampFrequency, long.MaxValue / 4);

    public long Now => time.GetTimestamp();
}
