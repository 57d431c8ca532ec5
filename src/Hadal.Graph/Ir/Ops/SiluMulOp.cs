namespace Hadal.Graph.Ir.Ops;

/// <summary>(gate, up) → silu(gate) · up</summary>
public sealed record SiluMulOp : Op
{
    public override string Name => "silu_mul";

    public override bool MayAlias(int index) => true;
}
