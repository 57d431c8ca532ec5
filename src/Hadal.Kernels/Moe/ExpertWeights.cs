using Hadal.Kernels.Weights;

namespace Hadal.Kernels.Moe;

/// <summary>The matrices of one layer's routed experts: gate and up [I, D], down [D, I], each E of them.</summary>
public sealed class ExpertWeights(WeightMatrix[] gate, WeightMatrix[] up, WeightMatrix[] down)
{
    public WeightMatrix[] Gate { get; } = gate;

    public WeightMatrix[] Up { get; } = up;

    public WeightMatrix[] Down { get; } = down;

    public int NumExperts => Gate.Length;
}
