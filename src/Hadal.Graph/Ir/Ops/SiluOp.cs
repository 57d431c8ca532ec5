namespace Hadal.Graph.Ir.Ops;

/// <summary>x → x · sigmoid(x)</summary>
public sealed record SiluOp : Op
{
    public override string Name => "silu";

    public override bool MayAlias(int index) => true;
}
