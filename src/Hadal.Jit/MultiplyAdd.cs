namespace Hadal.Jit;

/// <summary>The multiply-add instructions that matmuls are made of.</summary>
public enum MultiplyAdd
{
    /// <summary>vfmadd231ps: 16 (AVX-512) or 8 products.</summary>
    F32,

    /// <summary>vdpbf16ps on 512 bits: 32 products.</summary>
    Bf16,

    /// <summary>vpdpbusd on 512 bits: 64 products.</summary>
    Int8,
}
