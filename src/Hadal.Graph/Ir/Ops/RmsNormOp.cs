namespace Hadal.Graph.Ir.Ops;

/// <summary>x → norm(x) · w; over each run of w's length where x is wider (q and k norms).</summary>
public sealed record RmsNormOp(WeightSpec Weight, float Eps) : Op
{
    public override string Name => "rms_norm";

    public override IEnumerable<WeightSpec> Weights => [Weight];

    public override bool MayAlias(int index) => index == 0;
}
