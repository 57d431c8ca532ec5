namespace Hadal.Kernels.Packed;

/// <summary>The packed matrices of one layer's routed experts: gate and up [I, D], down [D, I], all gates and ups of one format, all downs of one.</summary>
public sealed class PackedExpertWeights(PackedMatrix[] gate, PackedMatrix[] up, PackedMatrix[] down)
{
    public PackedMatrix[] Gate { get; } = gate;

    public PackedMatrix[] Up { get; } = up;

    public PackedMatrix[] Down { get; } = down;

    public int NumExperts => Gate.Length;
}
