namespace Hadal.Graph.Ir.Ops;

/// <summary>(a, b) → a · b, element by element</summary>
public sealed record MulOp : Op
{
    public override string Name => "mul";

    public override bool MayAlias(int index) => true;
}
