namespace Hadal.Numerics;

/// <summary>Element types as checkpoints store them. Block types (GGUF) pack several elements into one unit; see <see cref="DTypeExtensions"/>.</summary>
public enum DType
{
    F32,
    F16,
    Bf16,
    /// <summary>8-bit float, 4 exponent bits, 3 mantissa bits, no infinities, NaN = 0x7F/0xFF (OCP "e4m3fn").</summary>
    F8E4M3,
    /// <summary>8-bit float, 5 exponent bits, 2 mantissa bits, IEEE-like.</summary>
    F8E5M2,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F64,
    Bool,
    /// <summary>GGUF: 32 elements, one f16 scale, 32 int8.</summary>
    Q8_0,
    /// <summary>GGUF: 32 elements, one f16 scale, 32 unsigned nibbles minus 8.</summary>
    Q4_0,
    /// <summary>GGUF: 32 elements, f16 scale and f16 minimum, 32 nibbles.</summary>
    Q4_1,
    /// <summary>GGUF: 32 elements, f16 scale, 32 high bits, 32 nibbles, minus 16.</summary>
    Q5_0,
    /// <summary>GGUF: 32 elements, f16 scale and minimum, 32 high bits, 32 nibbles.</summary>
    Q5_1,
    /// <summary>GGUF: 256 elements in 8 sub-blocks of 4 bits with 6-bit scales and minima.</summary>
    Q4_K,
    /// <summary>GGUF: as Q4_K with a fifth bit.</summary>
    Q5_K,
    /// <summary>GGUF: 256 elements in 16 sub-blocks of 6 bits with int8 scales.</summary>
    Q6_K,
}
