namespace Hadal.Kernels.Packed;

/// <summary>How packed weights are held and multiplied. Each value says what is rounded.</summary>
public enum PackedKind
{
    /// <summary>bf16 weights, exact; activations rounded to bf16; vdpbf16ps sums in f32.</summary>
    Bf16,

    /// <summary>int8 weights with a scale per row; activations rounded to int8 over runs of 256; vpdpbusd sums exactly within a run.</summary>
    Int8,

    /// <summary>int8 weights with an f16 scale per 32 (Q8_0; Q5_0 in a byte each), exact; activations rounded to int8 over runs of 256.</summary>
    Int8Group32,

    /// <summary>4-bit weights minus 8 with an f16 scale per 32 (Q4_0), exact; activations as in <see cref="Int8Group32"/>.</summary>
    Int4Group32,

    /// <summary>4-bit weights with an f16 scale and an f16 minimum per 32 (Q4_K, Q4_1); the products of Q4_K's two scales are rounded to f16; activations as in <see cref="Int8Group32"/>.</summary>
    Int4Group32Min,

    /// <summary>5-bit weights in a byte each, with an f16 scale and an f16 minimum per 32 (Q5_1, Q5_K; the products of Q5_K's two scales are rounded to f16); activations as in <see cref="Int8Group32"/>.</summary>
    Int8Group32Min,

    /// <summary>6-bit weights minus 32 in a byte each, with an f16 scale per 16 (Q6_K; the products of its two scales are rounded to f16); activations as in <see cref="Int8Group32"/>.</summary>
    Int8Group16,

    /// <summary>e4m3 weights with an f32 scale per 128×128 block (DeepSeek's own FP8), exact: decoded to bf16 in the kernel; activations rounded to bf16.</summary>
    Fp8Block,
}
