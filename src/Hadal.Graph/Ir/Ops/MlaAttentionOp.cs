using Hadal.Kernels.Mla;

namespace Hadal.Graph.Ir.Ops;

/// <summary>(q, order) → [T, H·Dv]: latent attention with keys and values expanded on the fly</summary>
public sealed record MlaAttentionOp(int Layer, WeightSpec KvB, MlaShape Shape, float Scale) : Op
{
    public override string Name => "mla_attention";

    public override IEnumerable<WeightSpec> Weights => [KvB];
}
