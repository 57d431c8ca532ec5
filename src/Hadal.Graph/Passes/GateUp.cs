using Hadal.Graph.Ir;
using Hadal.Graph.Ir.Ops;

namespace Hadal.Graph.Passes;

/// <summary>Two linear operations of one input whose outputs only meet in silu_mul become gate_up.</summary>
public sealed class GateUp : IGraphPass
{
    public string Name => "gate-up";

    public string Why => "gate and up are activated and multiplied where their sums are made: neither goes through memory";

    public int Apply(ModelGraph graph)
    {
        var consumers = graph.ConsumersByRoot();
        var linears = graph.Nodes
            .Where(n => n.Op is LinearOp { HasResidual: false, Parts: [{ Bias: null, Weight.KeepPrecision: false }] } && !graph.IsOutput(n.Output)
                && consumers.TryGetValue(n.Output, out List<Node>? users) && users is [{ Op: SiluMulOp }])
            .ToDictionary(n => n.Output);
        var gone = new HashSet<Node>();
        var fused = new Dictionary<Node, Node>();
        foreach (Node node in graph.Nodes.Where(n => n.Op is SiluMulOp))
        {
            if (linears.TryGetValue(node.Inputs[0], out Node? gate) && linears.TryGetValue(node.Inputs[1], out Node? up)
                && gate != up && ReferenceEquals(gate.Inputs[0], up.Inputs[0]))
            {
                var op = new GateUpOp(((LinearOp)gate.Op).Parts[0].Weight, ((LinearOp)up.Op).Parts[0].Weight);
                fused[node] = new Node(op, node.Scope, [gate.Inputs[0]], node.Outputs);
                gone.Add(gate);
                gone.Add(up);
            }
        }

        graph.ReplaceNodes(graph.Nodes.Where(n => !gone.Contains(n)).Select(n => fused.GetValueOrDefault(n, n)));
        return fused.Count;
    }
}
