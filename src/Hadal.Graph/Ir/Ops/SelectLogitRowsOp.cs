namespace Hadal.Graph.Ir.Ops;

/// <summary>x [T, D] → [L, D]: the rows whose logits are wanted</summary>
public sealed record SelectLogitRowsOp : Op
{
    public override string Name => "select_rows";
}
