namespace Hadal.Graph.Ir.Ops;

/// <summary>(x, table) → x with columns Start … Start + R of each head rotated</summary>
public sealed record RopeOp(int NumHeads, int Start, bool Interleaved) : Op
{
    public override string Name => "rope";

    public override bool MayAlias(int index) => index == 0;
}
