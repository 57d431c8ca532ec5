using Hadal.Graph.Ir;
using Hadal.Graph.Ir.Ops;

namespace Hadal.Graph.Passes;

/// <summary>silu → mul becomes one operation.</summary>
public sealed class SiluMul : IGraphPass
{
    public string Name => "silu-mul";

    public string Why => "gate and up are read once and the activated gate is never stored";

    public int Apply(ModelGraph graph)
    {
        var consumers = graph.ConsumersByRoot();
        var silus = graph.Nodes
            .Where(n => n.Op is SiluOp && !graph.IsOutput(n.Output) && consumers.TryGetValue(n.Output, out List<Node>? users)
                && users is [{ Op: MulOp }])
            .ToDictionary(n => n.Output);
        var gone = new HashSet<Node>();
        var fused = new Dictionary<Node, Node>();
        foreach (Node node in graph.Nodes.Where(n => n.Op is MulOp))
        {
            for (int side = 0; side < 2; side++)
            {
                if (silus.TryGetValue(node.Inputs[side], out Node? silu) && !fused.ContainsKey(node))
                {
                    fused[node] = new Node(new SiluMulOp(), node.Scope, [silu.Inputs[0], node.Inputs[1 - side]], node.Outputs);
                    gone.Add(silu);
                }
            }
        }

        graph.ReplaceNodes(graph.Nodes.Where(n => !gone.Contains(n)).Select(n => fused.GetValueOrDefault(n, n)));
        return fused.Count;
    }
}
