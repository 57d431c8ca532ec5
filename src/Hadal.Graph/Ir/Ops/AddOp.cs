namespace Hadal.Graph.Ir.Ops;

/// <summary>(a, b) → a + b</summary>
public sealed record AddOp : Op
{
    public override string Name => "add";

    public override bool MayAlias(int index) => true;
}
