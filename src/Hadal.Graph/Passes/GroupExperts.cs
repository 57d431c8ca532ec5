using Hadal.Graph.Ir;
using Hadal.Graph.Ir.Ops;

namespace Hadal.Graph.Passes;

/// <summary>Routed experts run grouped by expert instead of token by token.</summary>
public sealed class GroupExperts : IGraphPass
{
    public string Name => "group-experts";

    public string Why => "tokens are sorted by expert, so each expert's weights are read once a step, however many tokens chose it";

    public int Apply(ModelGraph graph)
    {
        int changes = 0;
        graph.ReplaceNodes(graph.Nodes.Select(n =>
        {
            if (n.Op is not ExpertsOp { Grouped: false } experts)
            {
                return n;
            }

            changes++;
            return new Node(experts with { Grouped = true }, n.Scope, n.Inputs, n.Outputs);
        }).ToList());
        return changes;
    }
}
