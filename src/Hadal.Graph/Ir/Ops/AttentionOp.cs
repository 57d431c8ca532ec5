namespace Hadal.Graph.Ir.Ops;

/// <summary>(q, order) → [T, H·D]: causal grouped-query attention over the layer's pages</summary>
public sealed record AttentionOp(int Layer, int NumHeads, int NumKvHeads, float Scale) : Op
{
    public override string Name => "attention";
}
