namespace Hadal.Graph.Ir.Ops;

/// <summary>x → silu(gate · x) · (up · x)</summary>
public sealed record GateUpOp(WeightSpec Gate, WeightSpec Up) : Op
{
    public override string Name => "gate_up";

    public override IEnumerable<WeightSpec> Weights => [Gate, Up];
}
