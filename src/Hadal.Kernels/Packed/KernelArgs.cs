using System.Runtime.InteropServices;

namespace Hadal.Kernels.Packed;

/// <summary>What an emitted kernel reads. The offsets are its ABI.</summary>
[StructLayout(LayoutKind.Explicit, Size = 72)]
internal unsafe struct KernelArgs
{
    /// <summary>Lines of the block from the first column on.</summary>
    [FieldOffset(0)]
    public byte* Weights;

    /// <summary>Activations of the tokens from the first column on: for every four bytes of a row, those of each token in turn.</summary>
    [FieldOffset(8)]
    public byte* Activations;

    /// <summary>[tokens, panels, 16] f32 sums, added to.</summary>
    [FieldOffset(16)]
    public float* Sums;

    /// <summary>[groups, tokens] f32 scales of the activations.</summary>
    [FieldOffset(24)]
    public float* Scales;

    /// <summary>[groups, tokens] i32: minus zero point times the sum of the group's activations.</summary>
    [FieldOffset(32)]
    public int* Corrections;

    /// <summary>[groups, tokens] f32: scale times the sum of the group's activations, for formats with minima.</summary>
    [FieldOffset(40)]
    public float* ScaledSums;

    /// <summary>Groups to do; 1 for formats without.</summary>
    [FieldOffset(48)]
    public int Groups;

    /// <summary>Rounds of the inner loop in every group but the last.</summary>
    [FieldOffset(52)]
    public int Rounds;

    /// <summary>Rounds of the inner loop in the last group.</summary>
    [FieldOffset(56)]
    public int LastRounds;

    /// <summary>[groups, panels] f32 scales of the weights, for formats with scales per block.</summary>
    [FieldOffset(64)]
    public float* WeightScales;
}
