namespace Hadal.Graph.Ir.Ops;

/// <summary>(e, h) → [norm(e) · wE | norm(h) · wH], [T, 2·D]: the input of a multi-token-prediction layer (arXiv:2412.19437, section 2.2).</summary>
public sealed record MtpJoinOp(WeightSpec EmbeddingNorm, WeightSpec HiddenNorm, float Eps) : Op
{
    public override string Name => "mtp_join";

    public override IEnumerable<WeightSpec> Weights => [EmbeddingNorm, HiddenNorm];
}
