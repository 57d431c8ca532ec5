using Hadal.Graph.Ir;

namespace Hadal.Graph.Planning;

/// <summary>
/// Places values by liveness: a value takes the smallest gap that fits between those alive with it; where an operation may write over an input
/// that ends with it, it does.
/// </summary>
public static class BufferPlanner
{
    private const long Alignment = 64;

    public static BufferPlan Plan(ModelGraph graph, bool share)
    {
        var lastUse = new Dictionary<Value, int>();
        for (int i = 0; i < graph.Nodes.Count; i++)
        {
            foreach (Value value in graph.Nodes[i].Inputs.Concat(graph.Nodes[i].Outputs))
            {
                lastUse[value.Root] = i;
            }
        }

        foreach (Value output in graph.Outputs.Values)
        {
            lastUse[output.Root] = int.MaxValue;
        }

        var offsets = new Dictionary<Value, long>();
        var sizes = new Dictionary<RowSymbol, long> { [RowSymbol.Tokens] = 0, [RowSymbol.LogitRows] = 0 };
        var live = new List<Value>();
        long naive = 0;
        long lowerBound = 0;
        for (int i = 0; i < graph.Nodes.Count; i++)
        {
            Node node = graph.Nodes[i];
            var taken = new HashSet<Value>();
            // A view is where its root is.
            foreach (Value output in node.Outputs.Where(o => o.Base is null))
            {
                long bytes = Bytes(output);
                naive += output.Rows == RowSymbol.Tokens ? bytes : 0;
                Value? host = share ? AliasHost(node, output, i, lastUse, taken) : null;
                if (host is not null)
                {
                    offsets[output] = offsets[host];
                    taken.Add(host);
                    live.Remove(host);
                }
                else
                {
                    offsets[output] = share ? FirstGap(live.Where(v => v.Rows == output.Rows), offsets, bytes) : sizes[output.Rows];
                }

                live.Add(output);
                sizes[output.Rows] = Math.Max(sizes[output.Rows], offsets[output] + bytes);
            }

            lowerBound = Math.Max(lowerBound, live.Where(v => v.Rows == RowSymbol.Tokens).Sum(Bytes));
            live.RemoveAll(v => lastUse[v] <= i);
        }

        return new BufferPlan(offsets, sizes, naive, lowerBound);
    }

    internal static long Bytes(Value value) => ((value.Columns * ElementBytes(value.Type)) + Alignment - 1) / Alignment * Alignment;

    internal static long ElementBytes(ElementType type) => type == ElementType.Bf16 ? 2 : 4;

    // Only the first output may take an input's place: the second is written while inputs are still read.
    private static Value? AliasHost(Node node, Value output, int at, Dictionary<Value, int> lastUse, HashSet<Value> taken)
    {
        if (!ReferenceEquals(output, node.Outputs[0]))
        {
            return null;
        }

        for (int k = 0; k < node.Inputs.Length; k++)
        {
            Value input = node.Inputs[k];
            bool whole = input.Base is null && input.Columns == output.Columns && input.Rows == output.Rows && input.Type == output.Type;
            if (whole && node.Op.MayAlias(k) && lastUse[input] == at && !taken.Contains(input)
                && node.Inputs.Where((_, other) => other != k).All(v => !ReferenceEquals(v.Root, input)))
            {
                return input;
            }
        }

        return null;
    }

    private static long FirstGap(IEnumerable<Value> live, Dictionary<Value, long> offsets, long bytes)
    {
        long best = -1;
        long bestGap = long.MaxValue;
        long end = 0;
        foreach (Value value in live.OrderBy(v => offsets[v]))
        {
            long gap = offsets[value] - end;
            if (gap >= bytes && gap < bestGap)
            {
                (best, bestGap) = (end, gap);
            }

            end = Math.Max(end, offsets[value] + Bytes(value));
        }

        return best >= 0 ? best : end;
    }
}
