using Hadal.Graph.Ir;
using Hadal.Graph.Ir.Ops;

namespace Hadal.Graph.Passes;

/// <summary>Linear operations of one input become one with several parts: q|k|v, q_a|kv_a.</summary>
public sealed class JoinProjections : IGraphPass
{
    public string Name => "join-projections";

    public string Why => "projections that share an input run as one matmul: the input is read once and there is one barrier instead of two or three";

    public int Apply(ModelGraph graph)
    {
        int changes = 0;
        var joined = new Dictionary<Node, Node>();
        var absorbed = new HashSet<Node>();
        foreach (IGrouping<Value, Node> group in graph.Nodes.Where(n => n.Op is LinearOp { HasResidual: false }).GroupBy(n => n.Inputs[0]))
        {
            List<Node> members = [.. group];
            if (members.Count < 2 || members.Exists(m => graph.IsOutput(m.Output)))
            {
                continue;
            }

            var op = new LinearOp([.. members.SelectMany(m => ((LinearOp)m.Op).Parts)]);
            Value output = graph.NewValue(group.Key.Rows, op.OutColumns);
            int offset = 0;
            foreach (Node member in members)
            {
                // The old output lives on as a view, so that nothing that reads it has to change.
                BecomeView(graph, member.Output, output, offset);
                offset += member.Output.Columns;
            }

            joined.Add(members[0], new Node(op, members[0].Scope, [group.Key], [output]));
            absorbed.UnionWith(members.Skip(1));
            changes++;
        }

        graph.ReplaceNodes(graph.Nodes.Where(n => !absorbed.Contains(n)).Select(n => joined.GetValueOrDefault(n, n)));
        return changes;
    }

    private static void BecomeView(ModelGraph graph, Value old, Value root, int offset)
    {
        foreach (Value view in graph.Nodes.SelectMany(n => n.Inputs).Where(v => ReferenceEquals(v.Base, old)).Distinct().ToList())
        {
            view.Base = root;
            view.Offset += offset;
        }

        old.Base = root;
        old.Offset = offset;
    }
}
