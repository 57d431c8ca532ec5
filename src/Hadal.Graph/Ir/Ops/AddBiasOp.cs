namespace Hadal.Graph.Ir.Ops;

/// <summary>x → x + bias</summary>
public sealed record AddBiasOp(WeightSpec Bias) : Op
{
    public override string Name => "add_bias";

    public override IEnumerable<WeightSpec> Weights => [Bias];

    public override bool MayAlias(int index) => index == 0;
}
