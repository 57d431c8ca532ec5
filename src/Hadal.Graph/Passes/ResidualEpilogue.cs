using Hadal.Graph.Ir;
using Hadal.Graph.Ir.Ops;

namespace Hadal.Graph.Passes;

/// <summary>linear → add and experts → add become one operation that adds before it stores.</summary>
public sealed class ResidualEpilogue : IGraphPass
{
    public string Name => "residual-epilogue";

    public string Why => "the residual is added while the sums are in registers: one pass over the activations less";

    public int Apply(ModelGraph graph)
    {
        int changes = 0;
        var consumers = graph.ConsumersByRoot();
        var position = new Dictionary<Value, int>();
        var nodes = graph.Nodes.ToList();
        for (int i = 0; i < nodes.Count; i++)
        {
            foreach (Value output in nodes[i].Outputs)
            {
                position[output] = i;
            }
        }

        for (int i = 0; i < nodes.Count; i++)
        {
            Node node = nodes[i];
            if (node is null || node.Op is not AddOp)
            {
                continue;
            }

            for (int side = 0; side < node.Inputs.Length; side++)
            {
                Value sum = node.Inputs[side];
                if (sum.Base is not null || graph.IsOutput(sum) || consumers[sum].Count != 1
                    || !position.TryGetValue(sum, out int at) || nodes[at] is not { } producer)
                {
                    continue;
                }

                Value other = node.Inputs[1 - side];
                // The epilogue runs at the producer's place: the other addend must exist by then.
                if (position.TryGetValue(other.Root, out int otherAt) && otherAt >= at)
                {
                    continue;
                }

                Op? op = producer.Op switch
                {
                    LinearOp { HasResidual: false } linear => linear with { HasResidual = true },
                    ExpertsOp { HasResidual: false } experts => experts with { HasResidual = true },
                    _ => null,
                };
                if (op is null)
                {
                    continue;
                }

                var fused = new Node(op, producer.Scope, [.. producer.Inputs, other], node.Outputs);
                nodes[at] = fused;
                nodes[i] = null!;
                position[fused.Output] = at;
                changes++;
                break;
            }
        }

        graph.ReplaceNodes(nodes.Where(n => n is not null));
        return changes;
    }
}
