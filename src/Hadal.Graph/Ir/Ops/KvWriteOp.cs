namespace Hadal.Graph.Ir.Ops;

/// <summary>(first, second) → order: writes [first | second] into the layer's pages</summary>
public sealed record KvWriteOp(int Layer) : Op
{
    public override string Name => "kv_write";

    public override bool HasEffect => true;
}
