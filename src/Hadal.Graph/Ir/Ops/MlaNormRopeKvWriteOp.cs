namespace Hadal.Graph.Ir.Ops;

/// <summary>(kvA, table) → order: norms the latent, rotates the shared key, writes both into the layer's pages</summary>
public sealed record MlaNormRopeKvWriteOp(int Layer, WeightSpec NormWeight, float Eps, bool Interleaved) : Op
{
    public override string Name => "norm+rope+kv_write";

    public override IEnumerable<WeightSpec> Weights => [NormWeight];

    public override bool HasEffect => true;
}
