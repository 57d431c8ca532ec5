namespace Hadal.Optimize.Quantization;

/// <summary>What a matrix can become.</summary>
public enum WeightFormat
{
    /// <summary>Not quantised: bf16 (or the wider type it is stored in).</summary>
    Bf16,

    /// <summary>e4m3 with a float32 scale per 128×128 block: DeepSeek's own layout.</summary>
    Fp8Block,

    /// <summary>e4m3 with a float32 scale per row; activations e4m3 per token where kernels do so.</summary>
    Fp8Channel,

    /// <summary>int8 with a float32 scale per row; activations int8 per token (W8A8).</summary>
    Int8,

    /// <summary>int8, weights only: a scale per row, or per group of columns.</summary>
    Int8Weight,

    /// <summary>4 bits, weights only: a scale per group of columns.</summary>
    Int4,
}
