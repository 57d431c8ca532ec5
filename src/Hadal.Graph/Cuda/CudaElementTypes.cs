using Hadal.Graph.Ir;
using Hadal.Graph.Ir.Ops;

namespace Hadal.Graph.Cuda;

/// <summary>
/// What values are held as on a card: bf16, except the residual stream and whatever is added to it in float32 sums, router logits and weights, rotary tables
/// and the model's logits. Or float32 throughout.
/// </summary>
internal static class CudaElementTypes
{
    public static void Assign(ModelGraph graph, bool f32)
    {
        foreach (Node node in graph.Nodes)
        {
            foreach (Value output in node.Outputs)
            {
                if (output.Type != ElementType.I32)
                {
                    output.Type = f32 ? ElementType.F32 : TypeOf(graph, node, output);
                }
            }
        }

        // Views see their root's elements.
        foreach (Value view in graph.Nodes.SelectMany(n => n.Inputs).Concat(graph.Outputs.Values).Where(v => v.Base is not null))
        {
            view.Type = view.Root.Type;
        }
    }

    private static ElementType TypeOf(ModelGraph graph, Node node, Value output) => node.Op switch
    {
        EmbedOp or AddOp or ExpertsOp or RopeTableOp or RouterOp => ElementType.F32,
        AddRmsNormOp => ReferenceEquals(output, node.Outputs[0]) ? ElementType.F32 : ElementType.Bf16,
        LinearOp op when op.HasResidual || op.Parts.Any(p => p.Weight.KeepPrecision) || IsLogits(graph, output) => ElementType.F32,
        SelectLogitRowsOp => node.Inputs[0].Root.Type,
        _ => ElementType.Bf16,
    };

    private static bool IsLogits(ModelGraph graph, Value output) => ReferenceEquals(graph.Outputs["logits"].Root, output);
}
