using Hadal.Graph.Ir;

namespace Hadal.Models.Blocks;

/// <summary>down(silu(gate(x)) · up(x)): the feed-forward of every family here.</summary>
internal static class SwiGlu
{
    public static Value Build(ModelGraph g, Value x, string name, int hidden, int intermediate, bool bias = false)
    {
        WeightSpec? Bias(string part, int n) => bias ? WeightSpec.Vector($"{name}.{part}.bias", n) : null;

        Value gate = g.Linear(x, WeightSpec.Matrix($"{name}.gate_proj.weight", intermediate, hidden), Bias("gate_proj", intermediate)); // [T, I]
        Value up = g.Linear(x, WeightSpec.Matrix($"{name}.up_proj.weight", intermediate, hidden), Bias("up_proj", intermediate));       // [T, I]
        Value inner = g.Mul(g.Silu(gate), up);                                                                                           // [T, I]
        return g.Linear(inner, WeightSpec.Matrix($"{name}.down_proj.weight", hidden, intermediate), Bias("down_proj", hidden));         // [T, D]
    }
}
