namespace Hadal.Kernels.MatMul;

/// <summary>How a matrix of weights lies in a card's memory.</summary>
public enum DeviceWeightKind
{
    /// <summary>bf16 rows.</summary>
    Bf16,

    /// <summary>e4m3 rows, a float32 scale per row.</summary>
    Fp8Row,

    /// <summary>e4m3 rows, a float32 scale per 128×128 block; edge blocks are ragged.</summary>
    Fp8Block,

    /// <summary>int8 rows, a float32 scale per row.</summary>
    Int8Row,

    /// <summary>int8 with a scale, and perhaps a minimum, per group of 16 or 32 columns.</summary>
    Int8Group,

    /// <summary>4 bits with a scale, and perhaps a minimum, per group of 32, 64 or 128 columns.</summary>
    Int4Group,
}
