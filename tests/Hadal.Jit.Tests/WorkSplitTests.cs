namespace Hadal.Jit.Tests;

public sealed class WorkSplitTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    [InlineData(64)]
    public void Next_AnyNumberOfItems_GivesEachOnce(int numWorkers)
    {
        using var pool = new WorkerPool(numWorkers);
        foreach (int items in (ReadOnlySpan<int>)[0, 1, 2, 7, 63, 64, 65, 1000, 4097])
        {
            for (int round = 0; round < 20; round++)
            {
                int[] taken = new int[items];
                var work = new TakeWork(taken, pool.Split(items), slowShare: round % numWorkers);
                pool.Run(ref work);
                Assert.All(taken, t => Assert.Equal(1, t));
            }
        }
    }

    [Fact]
    public void Next_NobodyElse_TakesOwnRunInOrderThenTheOthers()
    {
        using var pool = new WorkerPool(2);
        WorkSplit split = pool.Split(100);
        List<int> order = [];
        while (split.Next(1, out int first, out int count))
        {
            order.AddRange(Enumerable.Range(first, count));
        }

        Assert.Equal(Enumerable.Range(50, 50), order.Take(50));
        Assert.Equal(Enumerable.Range(0, 100), order.Order());
    }

    private readonly struct TakeWork(int[] taken, WorkSplit split, int slowShare) : IWork
    {
        public void Run(int worker, int numWorkers)
        {
            while (split.Next(worker, out int first, out int count))
            {
                for (int i = first; i < first + count; i++)
                {
                    Interlocked.Increment(ref taken[i]);
                }

                if (worker == slowShare)
                {
                    Thread.Yield();
                }
            }
        }
    }
}
