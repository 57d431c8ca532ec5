using FsCheck.Xunit;
using Hadal.Graph.Ir;
using Hadal.Graph.Planning;

namespace Hadal.Graph.Tests;

public sealed class BufferPlannerTests
{
    [Property(MaxTest = 300)]
    public void Plan_RandomGraphs_NoLiveValuesOverlap(int seed)
    {
        ModelGraph graph = RandomGraph(new Random(seed));
        BufferPlan plan = BufferPlanner.Plan(graph, share: true);
        var lastUse = new Dictionary<Value, int>();
        var born = new Dictionary<Value, int>();
        for (int i = 0; i < graph.Nodes.Count; i++)
        {
            foreach (Value output in graph.Nodes[i].Outputs)
            {
                born[output] = i;
            }

            foreach (Value value in graph.Nodes[i].Inputs.Concat(graph.Nodes[i].Outputs))
            {
                lastUse[value.Root] = i;
            }
        }

        foreach (Value output in graph.Outputs.Values)
        {
            lastUse[output.Root] = int.MaxValue;
        }

        Value[] values = [.. born.Keys];
        for (int a = 0; a < values.Length; a++)
        {
            for (int b = a + 1; b < values.Length; b++)
            {
                // One may end where the other begins: that is an output written over an input, which only MayAlias allows.
                bool together = born[values[a]] < lastUse[values[b]] && born[values[b]] < lastUse[values[a]] && values[a].Rows == values[b].Rows;
                long from = plan.Offsets[values[a]];
                long other = plan.Offsets[values[b]];
                bool overlap = from < other + BufferPlanner.Bytes(values[b]) && other < from + BufferPlanner.Bytes(values[a]);
                Assert.False(together && overlap, $"seed {seed}: {values[a]} and {values[b]} share memory while both live");
            }
        }

        Assert.True(plan.LowerBoundBytesPerToken <= plan.BytesPerRow[RowSymbol.Tokens] && plan.BytesPerRow[RowSymbol.Tokens] <= plan.NaiveBytesPerToken, $"seed {seed}: bounds");
    }

    [Fact]
    public void Plan_WithoutSharing_GivesEveryValueItsOwnPlace()
    {
        ModelGraph graph = RandomGraph(new Random(3));
        BufferPlan plan = BufferPlanner.Plan(graph, share: false);
        Assert.Equal(plan.Offsets.Count, plan.Offsets.Values.Distinct().Count() + plan.Offsets.Keys.Count(v => v.Rows == RowSymbol.LogitRows));
        Assert.Equal(plan.NaiveBytesPerToken, plan.BytesPerRow[RowSymbol.Tokens]);
    }

    private static ModelGraph RandomGraph(Random random)
    {
        var g = new ModelGraph { Scope = "random" };
        List<Value> live = [g.Embed(WeightSpec.Matrix("e", 10, 32))];
        int count = random.Next(3, 30);
        for (int i = 0; i < count; i++)
        {
            Value a = live[random.Next(live.Count)];
            Value b = live[random.Next(live.Count)];
            Value made = random.Next(6) switch
            {
                0 when a.Columns == b.Columns => g.Add(a, b),
                1 when a.Columns == b.Columns => g.Mul(a, b),
                2 => g.Silu(a),
                3 => g.RmsNorm(a, WeightSpec.Vector($"n{i}", a.Columns), 1e-6f),
                4 when a.Columns > 8 => g.Slice(a, 4, a.Columns - 4),
                _ => g.Linear(a, WeightSpec.Matrix($"w{i}", random.Next(1, 6) * 8, a.Columns)),
            };
            live.Add(made);
        }

        g.Output("logits", g.SelectLogitRows(live[^1]));
        return g;
    }
}
