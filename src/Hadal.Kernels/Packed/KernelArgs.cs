using System.Runtime.InteropServices;

namespace Hadal.Kernels.Packed;

/// <summary>What an emitted kernel reads. The offsets are its ABI.</summary>
[StructLayout(LayoutKind.Explicit, Size = 72)]
internal unsafe struct KernelArgs
{
    public const int WeightsAt = 0;
    public const int ActivationsAt = 8;
    public const int SumsAt = 16;
    public const int ScalesAt = 24;
    public const int CorrectionsAt = 32;
    public const int GroupSumsAt = 40;
    public const int WeightScalesAt = 48;
    public const int RunsAt = 56;
    public const int RoundsAt = 60;
    public const int LastRoundsAt = 64;

    /// <summary>Lines of the block from the first column on.</summary>
    [FieldOffset(WeightsAt)]
    public byte* Weights;

    /// <summary>Activations of the tokens from the first column on: for every four bytes of a row, those of each token in turn.</summary>
    [FieldOffset(ActivationsAt)]
    public byte* Activations;

    /// <summary>[tokens, panels, 16] f32 sums, added to.</summary>
    [FieldOffset(SumsAt)]
    public float* Sums;

    /// <summary>[runs, tokens] f32 scales of the activations, for integers.</summary>
    [FieldOffset(ScalesAt)]
    public float* Scales;

    /// <summary>[groups, tokens] i32: minus zero point times the sum of the group's activations.</summary>
    [FieldOffset(CorrectionsAt)]
    public int* Corrections;

    /// <summary>[groups, tokens] f32: the sum of the group's rounded activations, for formats with minima.</summary>
    [FieldOffset(GroupSumsAt)]
    public float* GroupSums;

    /// <summary>[runs, panels] f32 scales of the weights, for formats with scales per block.</summary>
    [FieldOffset(WeightScalesAt)]
    public float* WeightScales;

    /// <summary>Runs to do; 1 for formats without.</summary>
    [FieldOffset(RunsAt)]
    public int Runs;

    /// <summary>Rounds of the inner loop in every run but the last.</summary>
    [FieldOffset(RoundsAt)]
    public int Rounds;

    /// <summary>Rounds of the inner loop in the last run.</summary>
    [FieldOffset(LastRoundsAt)]
    public int LastRounds;
}
