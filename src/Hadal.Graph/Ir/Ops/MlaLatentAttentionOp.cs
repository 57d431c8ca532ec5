using Hadal.Kernels.Mla;

namespace Hadal.Graph.Ir.Ops;

/// <summary>(qLatent, order) → [T, H·C]: attention over the latents as they lie in the pages</summary>
public sealed record MlaLatentAttentionOp(int Layer, MlaShape Shape, float Scale) : Op
{
    public override string Name => "mla_latent_attention";
}
