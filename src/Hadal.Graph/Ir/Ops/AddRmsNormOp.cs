namespace Hadal.Graph.Ir.Ops;

/// <summary>(x, residual) → (x + residual, norm(x + residual) · w)</summary>
public sealed record AddRmsNormOp(WeightSpec Weight, float Eps) : Op
{
    public override string Name => "add_rms_norm";

    public override IEnumerable<WeightSpec> Weights => [Weight];

    // The first output is the sum, which may take either addend's place.
    public override bool MayAlias(int index) => index is 0 or 1;
}
