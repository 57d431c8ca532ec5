using Hadal.Kernels.Mla;

namespace Hadal.Graph.Ir.Ops;

/// <summary>q → [T, H·(C+R)]: queries moved into the latent's space</summary>
public sealed record MlaAbsorbQueryOp(WeightSpec KvB, MlaShape Shape) : Op
{
    public override string Name => "mla_absorb_query";

    public override IEnumerable<WeightSpec> Weights => [KvB];
}
