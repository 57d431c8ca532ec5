namespace Hadal.Jit;

/// <summary>How much of the processor kernels may use. Each level includes those before it.</summary>
public enum IsaLevel
{
    /// <summary>The scalar references, plain loops in the order of the formulas: what everything else is compared with.</summary>
    Scalar,

    /// <summary>SIMD kernels of up to 256 bits; nothing is emitted.</summary>
    Avx2,

    /// <summary>SIMD kernels of up to 512 bits, and emitted kernels.</summary>
    Avx512,
}
