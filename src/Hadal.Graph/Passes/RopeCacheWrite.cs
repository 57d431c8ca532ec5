using Hadal.Graph.Ir;
using Hadal.Graph.Ir.Ops;

namespace Hadal.Graph.Passes;

/// <summary>rope → kv_write (and for MLA rms_norm, rope → kv_write) becomes one operation.</summary>
public sealed class RopeCacheWrite : IGraphPass
{
    public string Name => "rope-cache-write";

    public string Why => "keys go from the projection straight into their page: rotated (and, for MLA, normed) on the way";

    public int Apply(ModelGraph graph)
    {
        var consumers = graph.ConsumersByRoot();
        var producer = new Dictionary<Value, Node>();
        foreach (Node node in graph.Nodes)
        {
            foreach (Value output in node.Outputs)
            {
                producer[output] = node;
            }
        }

        Node? SoleProducer(Value value) => value.Base is null && !graph.IsOutput(value) && consumers[value].Count == 1
            ? producer.GetValueOrDefault(value)
            : null;

        var gone = new HashSet<Node>();
        var fused = new Dictionary<Node, Node>();
        foreach (Node write in graph.Nodes.Where(n => n.Op is KvWriteOp))
        {
            int layer = ((KvWriteOp)write.Op).Layer;
            Node? first = SoleProducer(write.Inputs[0]);
            Node? second = SoleProducer(write.Inputs[1]);
            if (first?.Op is RopeOp { } rope)
            {
                var op = new RopeKvWriteOp(layer, rope.NumHeads, rope.Start, rope.Interleaved);
                fused[write] = new Node(op, write.Scope, [first.Inputs[0], write.Inputs[1], first.Inputs[1]], write.Outputs);
                gone.Add(first);
            }
            else if (first?.Op is RmsNormOp norm && second?.Op is RopeOp { NumHeads: 1, Start: 0 } keyRope
                && ReferenceEquals(first.Inputs[0].Root, second.Inputs[0].Root)
                && first.Inputs[0].Offset + first.Inputs[0].Columns == second.Inputs[0].Offset
                && norm.Weight.Rows == first.Inputs[0].Columns
                && keyRope is { } && second.Inputs[1].Columns == second.Inputs[0].Columns)
            {
                Value latent = first.Inputs[0];
                Value kvA = latent.Base is null
                    ? latent
                    : graph.Slice(latent.Root, latent.Offset, latent.Columns + second.Inputs[0].Columns);
                var op = new MlaNormRopeKvWriteOp(layer, norm.Weight, norm.Eps, keyRope.Interleaved);
                fused[write] = new Node(op, write.Scope, [kvA, second.Inputs[1]], write.Outputs);
                gone.Add(first);
                gone.Add(second);
            }
        }

        graph.ReplaceNodes(graph.Nodes.Where(n => !gone.Contains(n)).Select(n => fused.GetValueOrDefault(n, n)));
        return fused.Count;
    }
}
