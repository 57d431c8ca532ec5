using Hadal.Graph.Ir;
using Hadal.Graph.Ir.Ops;

namespace Hadal.Graph.Passes;

/// <summary>linear → add_bias becomes one operation.</summary>
public sealed class BiasEpilogue : IGraphPass
{
    public string Name => "bias-epilogue";

    public string Why => "the bias is added while the sums are in registers: one pass over the activations less";

    public int Apply(ModelGraph graph)
    {
        var consumers = graph.ConsumersByRoot();
        var linears = graph.Nodes
            .Where(n => n.Op is LinearOp { Parts: [{ Bias: null }], HasResidual: false } && !graph.IsOutput(n.Output)
                && consumers.TryGetValue(n.Output, out List<Node>? users) && users is [{ Op: AddBiasOp }])
            .ToDictionary(n => n.Output);
        var gone = new HashSet<Node>();
        var fused = new Dictionary<Node, Node>();
        foreach (Node node in graph.Nodes)
        {
            if (node.Op is AddBiasOp bias && linears.TryGetValue(node.Inputs[0], out Node? linear))
            {
                LinearPart part = ((LinearOp)linear.Op).Parts[0];
                fused[node] = new Node(new LinearOp([part with { Bias = bias.Bias }]), linear.Scope, linear.Inputs, node.Outputs);
                gone.Add(linear);
            }
        }

        graph.ReplaceNodes(graph.Nodes.Where(n => !gone.Contains(n)).Select(n => fused.GetValueOrDefault(n, n)));
        return fused.Count;
    }
}
