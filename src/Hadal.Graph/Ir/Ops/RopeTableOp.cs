namespace Hadal.Graph.Ir.Ops;

/// <summary>() → [T, R]: cosines, then sines, of the step's positions; once for all layers.</summary>
public sealed record RopeTableOp(float[] InverseFrequencies, float Magnitude) : Op
{
    public override string Name => "rope_table";
}
