namespace Hadal.Jit.Tests;

public sealed class WorkerPoolTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    public void Run_ManyRounds_EveryShareRunsOncePerRound(int numWorkers)
    {
        using var pool = new WorkerPool(numWorkers);
        int[] counts = new int[numWorkers];
        for (int round = 1; round <= 3000; round++)
        {
            var work = new CountWork(counts);
            pool.Run(ref work);
            Assert.All(counts, c => Assert.Equal(round, c));
        }
    }

    [Fact]
    public async Task Run_AfterParking_WakesAgain()
    {
        using var pool = new WorkerPool(4);
        int[] counts = new int[4];
        for (int round = 1; round <= 20; round++)
        {
            var work = new CountWork(counts);
            pool.Run(ref work);
            await Task.Delay(round % 5 == 0 ? 30 : 1, TestContext.Current.CancellationToken);
        }

        Assert.All(counts, c => Assert.Equal(20, c));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void Run_WorkerThrows_CallerGetsItAndPoolLivesOn(int thrower)
    {
        using var pool = new WorkerPool(3);
        var bad = new ThrowWork(thrower);
        Assert.Throws<InvalidOperationException>(() => pool.Run(ref bad));
        int[] counts = new int[3];
        var work = new CountWork(counts);
        pool.Run(ref work);
        Assert.All(counts, c => Assert.Equal(1, c));
    }

    [Fact]
    public void Run_SteadyState_AllocatesNothing()
    {
        using var pool = new WorkerPool(2);
        int[] counts = new int[2];
        var work = new CountWork(counts);
        pool.Run(ref work);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            pool.Run(ref work);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private readonly struct CountWork(int[] counts) : IWork
    {
        public void Run(int worker, int numWorkers) => counts[worker]++;
    }

    private readonly struct ThrowWork(int thrower) : IWork
    {
        public void Run(int worker, int numWorkers)
        {
            if (worker == thrower)
            {
                throw new InvalidOperationException("planted");
            }
        }
    }
}
