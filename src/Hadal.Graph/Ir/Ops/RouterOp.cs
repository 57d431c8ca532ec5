using Hadal.Kernels.Moe;

namespace Hadal.Graph.Ir.Ops;

/// <summary>logits → (ids [T, k] i32, weights [T, k])</summary>
public sealed record RouterOp(RouterConfig Config, WeightSpec? CorrectionBias) : Op
{
    public override string Name => "router";

    public override IEnumerable<WeightSpec> Weights => CorrectionBias is null ? [] : [CorrectionBias];
}
