using Hadal.Server.Access;
using Hadal.Server.Tests.Fakes;

namespace Hadal.Server.Tests;

public sealed class SlidingWindowTests
{
    /// <summary>Beside a list of all that was taken: never more than the limit in a minute, and what was refused fits when it was told to come back.</summary>
    [Fact]
    public void TryTake_OfAnyTraffic_KeepsTheLimitAndItsWord()
    {
        for (int seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            var time = new ManualClock();
            int limit = random.Next(1, 50);
            var window = new SlidingWindow(limit, time);
            var taken = new List<(double At, int Amount)>();
            double now = 0;
            for (int i = 0; i < 300; i++)
            {
                double pause = random.Next(4) == 0 ? random.NextDouble() * 90 : random.NextDouble() * 3;
                now += pause;
                time.Advance(TimeSpan.FromSeconds(pause));
                int amount = random.Next(1, limit + 1);
                if (window.TryTake(amount, out TimeSpan retryAfter))
                {
                    taken.Add((now, amount));
                    Assert.True(taken.Where(t => t.At > now - 59).Sum(t => t.Amount) <= limit, $"seed {seed}");
                }
                else
                {
                    // Seconds are whole, so what was taken up to a second less than a minute ago may still count; never what is older.
                    Assert.True(taken.Where(t => t.At > now - 60.001).Sum(t => t.Amount) + amount > limit, $"seed {seed}");
                    Assert.InRange(retryAfter.TotalSeconds, 0, 60);
                    now += retryAfter.TotalSeconds + 0.0001;
                    time.Advance(retryAfter + TimeSpan.FromSeconds(0.0001));
                    Assert.True(window.TryTake(amount, out _), $"seed {seed}: refused again after {retryAfter}");
                    taken.Add((now, amount));
                }
            }
        }
    }

    [Fact]
    public void Add_BeyondTheLimit_MakesTheNextWaitLonger()
    {
        var time = new ManualClock();
        var window = new SlidingWindow(10, time);
        window.Add(25);
        Assert.Equal(0, window.Now().Remaining);
        Assert.False(window.TryTake(1, out TimeSpan retryAfter));
        Assert.Equal(60, retryAfter.TotalSeconds, 0.01);
        time.Advance(TimeSpan.FromSeconds(61));
        Assert.Equal((10, TimeSpan.Zero), window.Now());
    }
}
