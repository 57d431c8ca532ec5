namespace Hadal.Jit.Tests;

public sealed class NumaTopologyTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hadal-numa-");

    [Theory]
    [InlineData("0-3", new[] { 0, 1, 2, 3 })]
    [InlineData("0-1,4-5\n", new[] { 0, 1, 4, 5 })]
    [InlineData("7", new[] { 7 })]
    [InlineData("3,1,2-3", new[] { 1, 2, 3 })]
    [InlineData("8191", new[] { 8191 })]
    [InlineData("", new int[0])]
    [InlineData(" \n", new int[0])]
    public void ParseCpuList_AList_IsThoseProcessors(string text, int[] expected) => Assert.Equal(expected, NumaTopology.ParseCpuList(text));

    [Theory]
    [InlineData("garbage")]
    [InlineData(",")]
    [InlineData("1,")]
    [InlineData("-")]
    [InlineData("1-")]
    [InlineData("-1")]
    [InlineData("3-1")]
    [InlineData("0-1-2")]
    [InlineData("0 - 1")]
    [InlineData("0-31:2/4")]
    [InlineData("8192")]
    [InlineData("0-4294967295")]
    [InlineData("0-99999999999999999999999")]
    [InlineData("0x1")]
    [InlineData("\0")]
    [InlineData("١")]
    public void ParseCpuList_AnythingElse_IsNone(string text) => Assert.Null(NumaTopology.ParseCpuList(text));

    [Fact]
    public void Read_OneNode_IsOne() => AssertNodes([Range(0, 8)], Range(0, 8), "0-7");

    [Fact]
    public void Read_TwoNodes_AreTwo() => AssertNodes([[0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]], Range(0, 16), "0-3,8-11", "4-7,12-15");

    [Fact]
    public void Read_FourNodesOneOfMemoryOnly_AreThree() => AssertNodes([[0, 1], [2, 3], [4, 5]], Range(0, 6), "0-1", "2-3", "\n", "4-5");

    [Fact]
    public void Read_OfflineOrForbiddenProcessors_AreLeftOut() => AssertNodes([[0, 2], [5]], [0, 2, 5], "0-3", "4-7");

    [Fact]
    public void Read_AllowedOneNode_IsOne() => AssertNodes([[4, 5]], [4, 5], "0-3", "4-7");

    [Fact]
    public void Read_MoreThanTenNodes_AreInTheOrderOfNumbers()
        => AssertNodes([.. Range(0, 12).Select(i => new[] { i })], Range(0, 12), [.. Range(0, 12).Select(i => $"{i}\n")]);

    [Fact]
    public void Read_ProcessorOfTwoNodes_IsTheFirstOnes() => AssertNodes([[0, 1], [2, 3]], Range(0, 4), "0-1", "1-3");

    [Theory]
    [InlineData("0-3", "garbage")]
    [InlineData("0-3", "4-4294967295")]
    [InlineData("0-3", "4-6")]
    [InlineData("8-9", "10-11")]
    [InlineData("", "")]
    public void Read_BrokenOrIncomplete_IsOneNodeOfAll(string first, string second) => AssertNodes([Range(0, 8)], Range(0, 8), first, second);

    [Fact]
    public void Read_EndlessList_IsOneNodeOfAll() => AssertNodes([[0, 1]], [0, 1], "0", "1" + new string(' ', 1 << 20));

    [Fact]
    public void Read_NoFolderOrNoList_IsOneNodeOfAll()
    {
        Assert.Equal([[0, 1]], NumaTopology.Read(Path.Combine(_folder.FullName, "absent"), [1, 0]).Nodes);
        _folder.CreateSubdirectory("node0");
        _folder.CreateSubdirectory("nodes");
        _folder.CreateSubdirectory("node-1");
        Assert.Equal([[0, 1]], NumaTopology.Read(_folder.FullName, [0, 1]).Nodes);
        Assert.Equal([[]], NumaTopology.Read(_folder.FullName, []).Nodes);
    }

    [Fact]
    public void Detect_ThisMachine_HasAllProcessorsThatTheThreadMayUse()
    {
        NumaTopology machine = NumaTopology.Detect();
        Assert.Equal(ThreadAffinity.Get(), machine.Nodes.SelectMany(n => n).Order());
        Assert.True(!OperatingSystem.IsLinux() || ThreadAffinity.Get().Length >= Environment.ProcessorCount);
    }

    [Theory]
    [InlineData(2, 8)]
    [InlineData(2, 64)]
    [InlineData(4, 8)]
    [InlineData(4, 64)]
    [InlineData(2, 3)]
    [InlineData(4, 7)]
    [InlineData(4, 2)]
    public void NodeOf_EqualNodes_AreContiguousRunsAndBalanced(int numNodes, int numWorkers)
    {
        NumaTopology machine = Read(Range(0, 64), [.. Range(0, numNodes).Select(i => $"{i * 64 / numNodes}-{((i + 1) * 64 / numNodes) - 1}")]);
        int[] nodes = [.. Range(0, numWorkers).Select(w => machine.NodeOf(w, numWorkers))];
        Assert.Equal(nodes.Order(), nodes);
        int[] counts = [.. Range(0, numNodes).Select(n => nodes.Count(m => m == n))];
        Assert.InRange(counts.Max() - counts.Min(), 0, numWorkers % numNodes == 0 ? 0 : 1);
    }

    [Fact]
    public void NodeOf_UnequalNodes_GoesByProcessors()
    {
        NumaTopology machine = Read([0, 1, 2, 3, 4, 5, 6], "0-4", "5-6");
        Assert.Equal([0, 0, 0, 0, 0, 1, 1], Range(0, 7).Select(w => machine.NodeOf(w, 7)));
        Assert.Equal(0, Read([]).NodeOf(3, 4));
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private static int[] Range(int first, int count) => [.. Enumerable.Range(first, count)];

    private void AssertNodes(int[][] expected, int[] allowed, params string[] cpuLists) => Assert.Equal(expected, Read(allowed, cpuLists).Nodes);

    private NumaTopology Read(int[] allowed, params string[] cpuLists)
    {
        for (int i = 0; i < cpuLists.Length; i++)
        {
            File.WriteAllText(Path.Combine(_folder.CreateSubdirectory($"node{i}").FullName, "cpulist"), cpuLists[i]);
        }

        return NumaTopology.Read(_folder.FullName, allowed);
    }
}
