using Hadal.Graph.Ir;
using Hadal.Graph.Ir.Ops;

namespace Hadal.Graph.Passes;

/// <summary>add → rms_norm becomes one operation with two outputs.</summary>
public sealed class ResidualNorm : IGraphPass
{
    public string Name => "residual-norm";

    public string Why => "the sum is normed while it is in cache: one pass over the residual stream and one barrier less";

    public int Apply(ModelGraph graph)
    {
        var sums = new Dictionary<Value, Node>();
        var normOf = new Dictionary<Node, Node>();
        foreach (Node node in graph.Nodes)
        {
            if (node.Op is AddOp)
            {
                sums[node.Output] = node;
            }
            else if (node.Op is RmsNormOp norm && sums.TryGetValue(node.Inputs[0], out Node? add)
                && norm.Weight.Rows == node.Inputs[0].Columns && !normOf.ContainsKey(add))
            {
                normOf[add] = node;
            }
        }

        var gone = normOf.Values.ToHashSet();
        graph.ReplaceNodes(graph.Nodes.Where(n => !gone.Contains(n)).Select(n => normOf.TryGetValue(n, out Node? norm)
            ? new Node(new AddRmsNormOp(((RmsNormOp)norm.Op).Weight, ((RmsNormOp)norm.Op).Eps), norm.Scope, n.Inputs, [n.Output, norm.Output])
            : n));
        return normOf.Count;
    }
}
