using Hadal.Kernels.Mla;

namespace Hadal.Graph.Ir.Ops;

/// <summary>oLatent → [T, H·Dv]: outputs moved back to the heads' value space</summary>
public sealed record MlaExpandValueOp(WeightSpec KvB, MlaShape Shape) : Op
{
    public override string Name => "mla_expand_value";

    public override IEnumerable<WeightSpec> Weights => [KvB];
}
