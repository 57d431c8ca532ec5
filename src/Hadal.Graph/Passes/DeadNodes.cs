using Hadal.Graph.Ir;

namespace Hadal.Graph.Passes;

/// <summary>Drops operations whose results nobody reads.</summary>
public sealed class DeadNodes : IGraphPass
{
    public string Name => "dead-nodes";

    public string Why => "what nobody reads is not computed";

    public int Apply(ModelGraph graph)
    {
        var live = graph.Outputs.Values.Select(o => o.Root).ToHashSet();
        var kept = new List<Node>();
        foreach (Node node in graph.Nodes.Reverse())
        {
            if (node.Op.HasEffect || node.Outputs.Any(o => live.Contains(o.Root)))
            {
                kept.Add(node);
                live.UnionWith(node.Inputs.Select(i => i.Root));
            }
        }

        int dropped = graph.Nodes.Count - kept.Count;
        kept.Reverse();
        graph.ReplaceNodes(kept);
        return dropped;
    }
}
