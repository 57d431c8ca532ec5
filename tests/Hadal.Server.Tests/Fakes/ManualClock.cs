namespace Hadal.Server.Tests.Fakes;

/// <summary>Time that stands still unless told; timers are the machine's.</summary>
internal sealed class ManualClock : TimeProvider
{
    private long _ticks = 1_000 * TimeSpan.TicksPerSecond;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Interlocked.Read(ref _ticks);

    public void Advance(TimeSpan by) => Interlocked.Add(ref _ticks, by.Ticks);
}
