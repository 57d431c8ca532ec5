namespace Hadal.Kernels.Quantize;

/// <summary>8-bit activations and their scales: value = q · scale.</summary>
public enum ActivationFormat
{
    /// <summary>e4m3, one f32 scale a row: amax / 448.</summary>
    E4M3Row,

    /// <summary>e4m3, one f32 scale for each 128 columns of a row.</summary>
    E4M3Group,

    /// <summary>int8, one f32 scale a row: amax / 127.</summary>
    Int8Row,
}
