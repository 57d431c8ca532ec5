namespace Hadal.Graph.Cuda;

/// <summary>What matrices of linear operations and experts become while loading.</summary>
public enum CudaWeightConversion
{
    /// <summary>Their own bits where the kernels read that type; float32 and float16 become bf16.</summary>
    AsStored,

    /// <summary>Int8, a scale per row.</summary>
    Int8,

    /// <summary>e4m3, a scale per row.</summary>
    Fp8,

    /// <summary>4 bits, a scale per 128 of a row.</summary>
    Int4,
}
