using System.Runtime.InteropServices;

namespace Hadal.Kernels.Attention.Emitted;

/// <summary>What the emitted attention kernel reads. The offsets are its ABI.</summary>
[StructLayout(LayoutKind.Explicit, Size = 72)]
internal unsafe struct AttentionArgs
{
    /// <summary>Rows done together: the lanes of a register.</summary>
    public const int Rows = 16;

    public const int KeysAt = 0;
    public const int QueriesAt = 8;
    public const int LimitsAt = 16;
    public const int StateAt = 24;
    public const int ScoresAt = 32;
    public const int ProbabilitiesAt = 40;
    public const int FirstKeyAt = 48;
    public const int GroupsAt = 52;
    public const int ScaleAt = 56;

    // A state is: largest[16], sum[16], shrink[16], values[16, ValueStride], f32.
    public const int SumOffset = 64;
    public const int ShrinkOffset = 128;
    public const int ValuesOffset = 192;

    /// <summary>Floats from one row's values to the next one's: not a power of two, which would fold 16 rows into a few cache sets.</summary>
    public static int ValueStride(int valueDim) => valueDim + 16;

    public static int StateFloats(int valueDim) => (ValuesOffset / sizeof(float)) + (Rows * ValueStride(valueDim));

    /// <summary>Addresses of the keys in the pages, padded to whole groups with a row of zeros.</summary>
    [FieldOffset(KeysAt)]
    public byte** Keys;

    /// <summary>[key columns / 2, 16] pairs of bf16.</summary>
    [FieldOffset(QueriesAt)]
    public uint* Queries;

    /// <summary>[16]: the last key each row may see.</summary>
    [FieldOffset(LimitsAt)]
    public int* Limits;

    [FieldOffset(StateAt)]
    public float* State;

    /// <summary>[keys, 16] scratch.</summary>
    [FieldOffset(ScoresAt)]
    public float* Scores;

    /// <summary>[keys / 2, 16] scratch.</summary>
    [FieldOffset(ProbabilitiesAt)]
    public uint* Probabilities;

    /// <summary>Number of the first key in its sequence.</summary>
    [FieldOffset(FirstKeyAt)]
    public int FirstKey;

    /// <summary>Groups of 8 keys.</summary>
    [FieldOffset(GroupsAt)]
    public int Groups;

    /// <summary>Of the scores, times log2 e.</summary>
    [FieldOffset(ScaleAt)]
    public float Scale;
}
