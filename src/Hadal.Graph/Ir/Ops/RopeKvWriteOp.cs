namespace Hadal.Graph.Ir.Ops;

/// <summary>(k, v, table) → order: rotates k and writes [k | v] into the layer's pages</summary>
public sealed record RopeKvWriteOp(int Layer, int NumKvHeads, int Start, bool Interleaved) : Op
{
    public override string Name => "rope+kv_write";

    public override bool HasEffect => true;
}
