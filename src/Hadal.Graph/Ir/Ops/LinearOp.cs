namespace Hadal.Graph.Ir.Ops;

/// <summary>x (, residual) → x · [W0 | W1 | …]ᵀ + biases + residual</summary>
public sealed record LinearOp(IReadOnlyList<LinearPart> Parts, bool HasResidual = false) : Op
{
    public override string Name
    {
        get
        {
            string name = Parts.Count == 1 ? "linear" : $"linear x{Parts.Count}";
            name += Parts.Any(p => p.Bias is not null) ? "+bias" : "";
            return HasResidual ? name + "+residual" : name;
        }
    }

    public int OutColumns => Parts.Sum(p => p.Weight.Rows);

    public override IEnumerable<WeightSpec> Weights
        => Parts.Select(p => p.Weight).Concat(Parts.Where(p => p.Bias is not null).Select(p => p.Bias!));

    public override bool MayAlias(int index) => HasResidual && index == 1;
}
