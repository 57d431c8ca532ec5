namespace Hadal.Graph.Ir.Ops;

/// <summary>() → [T, D]: rows of the embedding for the step's tokens.</summary>
public sealed record EmbedOp(WeightSpec Weight) : Op
{
    public override string Name => "embed";

    public override IEnumerable<WeightSpec> Weights => [Weight];
}
