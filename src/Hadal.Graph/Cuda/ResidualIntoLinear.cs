using Hadal.Graph.Ir;
using Hadal.Graph.Ir.Ops;

namespace Hadal.Graph.Cuda;

/// <summary>
/// linear → add+norm → matmuls becomes linear+residual → norm → matmuls: where there are few rows the norm is in the matmuls' launches, whose blocks each norm the rows for
/// themselves. With the sum in between that could not be: blocks would write what others still read.
/// </summary>
public static class ResidualIntoLinear
{
    /// <param name="graph">With its passes applied.</param>
    /// <returns>How many places changed.</returns>
    public static int Apply(ModelGraph graph)
    {
        Dictionary<Value, List<Node>> consumers = graph.ConsumersByRoot();
        Node[] nodes = [.. graph.Nodes];
        var position = new Dictionary<Value, int>();
        for (int i = 0; i < nodes.Length; i++)
        {
            foreach (Value output in nodes[i].Outputs)
            {
                position[output] = i;
            }
        }

        int changes = 0;
        for (int i = 0; i < nodes.Length; i++)
        {
            if (nodes[i].Op is not AddRmsNormOp norm || !FeedsMatmuls(graph, consumers, nodes[i].Outputs[1]))
            {
                continue;
            }

            for (int side = 0; side < 2; side++)
            {
                (Value sum, Value other) = (nodes[i].Inputs[side], nodes[i].Inputs[1 - side]);
                // The residual is added at the linear's place: it must exist by then.
                if (sum.Base is null && !graph.IsOutput(sum) && consumers[sum].Count == 1
                    && position.TryGetValue(sum, out int at) && nodes[at].Op is LinearOp { HasResidual: false } linear
                    && position.TryGetValue(other.Root, out int otherAt) && otherAt < at)
                {
                    nodes[at] = new Node(linear with { HasResidual = true }, nodes[at].Scope, [.. nodes[at].Inputs, other], [nodes[i].Outputs[0]]);
                    nodes[i] = new Node(new RmsNormOp(norm.Weight, norm.Eps), nodes[i].Scope, [nodes[i].Outputs[0]], [nodes[i].Outputs[1]]);
                    position[nodes[at].Output] = at;
                    changes++;
                    break;
                }
            }
        }

        graph.ReplaceNodes(nodes);
        return changes;
    }

    private static bool FeedsMatmuls(ModelGraph graph, Dictionary<Value, List<Node>> consumers, Value y)
        => !graph.IsOutput(y) && consumers.TryGetValue(y, out List<Node>? readers)
        && (readers.TrueForAll(r => r.Op is LinearOp or GateUpOp or ExpertsOp)
            || (readers.Count == 1 && readers[0].Op is SelectLogitRowsOp && !graph.IsOutput(readers[0].Output)
                && consumers.TryGetValue(readers[0].Output, out List<Node>? heads) && heads.Count == 1 && heads[0].Op is LinearOp));
}
