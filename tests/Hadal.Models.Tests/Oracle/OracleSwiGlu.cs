namespace Hadal.Models.Tests.Oracle;

/// <summary>down(silu(gate(x)) ⊙ up(x)) (arXiv:2002.05202), with biases where the checkpoint has them.</summary>
internal sealed class OracleSwiGlu(OracleTensors tensors, string name, bool bias)
{
    private readonly double[][] _gate = tensors.Matrix($"{name}.gate_proj.weight");
    private readonly double[][] _up = tensors.Matrix($"{name}.up_proj.weight");
    private readonly double[][] _down = tensors.Matrix($"{name}.down_proj.weight");
    private readonly double[]? _gateBias = bias ? tensors.Vector($"{name}.gate_proj.bias") : null;
    private readonly double[]? _upBias = bias ? tensors.Vector($"{name}.up_proj.bias") : null;
    private readonly double[]? _downBias = bias ? tensors.Vector($"{name}.down_proj.bias") : null;

    public double[] Forward(double[] x)
    {
        double[] gate = OracleMath.Linear(x, _gate, _gateBias);
        double[] up = OracleMath.Linear(x, _up, _upBias);
        double[] inner = [.. gate.Zip(up, (g, u) => g / (1 + Math.Exp(-g)) * u)];
        return OracleMath.Linear(inner, _down, _downBias);
    }
}
