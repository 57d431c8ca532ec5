using Hadal.Graph.Ir;
using Hadal.Graph.Ir.Ops;

namespace Hadal.Graph.Passes;

/// <summary>mla_attention becomes absorb_query → latent_attention → expand_value.</summary>
public sealed class MlaAbsorption : IGraphPass
{
    public string Name => "mla-absorption";

    public string Why => "W_UK moves to the query and W_UV to the output, so attention reads each cached latent once for all heads and expands nothing";

    public int Apply(ModelGraph graph)
    {
        int changes = 0;
        var nodes = new List<Node>();
        foreach (Node node in graph.Nodes)
        {
            if (node.Op is not MlaAttentionOp mla)
            {
                nodes.Add(node);
                continue;
            }

            Value q = node.Inputs[0];
            Value qLatent = graph.NewValue(q.Rows, mla.Shape.NumHeads * mla.Shape.CacheWidth);
            Value oLatent = graph.NewValue(q.Rows, mla.Shape.NumHeads * mla.Shape.KvLoraRank);
            nodes.Add(new Node(new MlaAbsorbQueryOp(mla.KvB, mla.Shape), node.Scope, [q], [qLatent]));
            nodes.Add(new Node(new MlaLatentAttentionOp(mla.Layer, mla.Shape, mla.Scale), node.Scope, [qLatent, node.Inputs[1]], [oLatent]));
            nodes.Add(new Node(new MlaExpandValueOp(mla.KvB, mla.Shape), node.Scope, [oLatent], node.Outputs));
            changes++;
        }

        graph.ReplaceNodes(nodes);
        return changes;
    }
}
