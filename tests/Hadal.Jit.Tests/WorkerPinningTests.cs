using System.Collections.Concurrent;

namespace Hadal.Jit.Tests;

public sealed class WorkerPinningTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hadal-pin-");
    private readonly int[] _allowed = ThreadAffinity.Get();

    [Theory]
    [InlineData(ThreadPinning.Auto)]
    [InlineData(ThreadPinning.On)]
    [InlineData(ThreadPinning.Off)]
    public void Run_TwoNodes_EachWorkerKeepsToItsOwn(ThreadPinning pinning)
    {
        Assert.SkipUnless(_allowed.Length >= 2, "one processor, or no way to pin");
        int[] front = _allowed[..(_allowed.Length / 2)];
        int[] back = _allowed[front.Length..];
        NumaTopology machine = Topology(_allowed, front, back);
        Dictionary<int, int[]> masks = MasksOfWorkers(8, pinning, machine);
        Assert.Equal(7, masks.Count);
        Assert.All(masks, m => Assert.Equal(pinning == ThreadPinning.Off ? _allowed : machine.Nodes[machine.NodeOf(m.Key, 8)], m.Value));
        Assert.Equal(_allowed, ThreadAffinity.Get());
    }

    [Theory]
    [InlineData(ThreadPinning.Auto)]
    [InlineData(ThreadPinning.On)]
    public void Run_OneNode_KeepsTheProcesssOwn(ThreadPinning pinning)
        => Assert.All(MasksOfWorkers(3, pinning, null), m => Assert.Equal(_allowed, m.Value));

    [Fact]
    public void Run_ProcessorsThatAreNotThere_GoOnUnpinned()
    {
        NumaTopology machine = Topology([8000, 8001], [8000], [8001]);
        Assert.All(MasksOfWorkers(3, ThreadPinning.Auto, machine), m => Assert.Equal(_allowed, m.Value));
    }

    public void Dispose() => _folder.Delete(recursive: true);

    // Which worker does which share is left to the moment, so rounds are run until every worker has been met.
    private static Dictionary<int, int[]> MasksOfWorkers(int numWorkers, ThreadPinning pinning, NumaTopology? machine)
    {
        using var pool = new WorkerPool(numWorkers, pinning, machine);
        var masks = new ConcurrentDictionary<int, int[]>();
        for (int round = 0; round < 100_000 && masks.Count < numWorkers - 1; round++)
        {
            var work = new MaskWork(masks);
            pool.Run(ref work);
        }

        return masks.ToDictionary();
    }

    private NumaTopology Topology(int[] allowed, params int[][] nodes)
    {
        for (int i = 0; i < nodes.Length; i++)
        {
            File.WriteAllText(Path.Combine(_folder.CreateSubdirectory($"node{i}").FullName, "cpulist"), string.Join(',', nodes[i]));
        }

        return NumaTopology.Read(_folder.FullName, allowed);
    }

    private readonly struct MaskWork(ConcurrentDictionary<int, int[]> masks) : IWork
    {
        public void Run(int worker, int numWorkers)
        {
            if (Thread.CurrentThread.Name is { } name && name.StartsWith("hadal-worker-", StringComparison.Ordinal))
            {
                masks.TryAdd(int.Parse(name["hadal-worker-".Length..]), ThreadAffinity.Get());
            }

            Thread.Yield();
        }
    }
}
