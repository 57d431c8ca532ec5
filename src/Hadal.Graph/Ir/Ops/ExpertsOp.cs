namespace Hadal.Graph.Ir.Ops;

/// <summary>(x, ids, weights (, residual)) → residual + Σ_k weight · expert(x); grouped: tokens sorted by expert, each expert's weights read once a step</summary>
public sealed record ExpertsOp(IReadOnlyList<WeightSpec> Gate, IReadOnlyList<WeightSpec> Up, IReadOnlyList<WeightSpec> Down, bool Grouped = false, bool HasResidual = false) : Op
{
    public override string Name => (Grouped ? "experts grouped" : "experts") + (HasResidual ? "+residual" : "");

    public override IEnumerable<WeightSpec> Weights => Gate.Concat(Up).Concat(Down);

    public override bool MayAlias(int index) => HasResidual && index == 3;
}
