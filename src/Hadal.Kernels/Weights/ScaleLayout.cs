namespace Hadal.Kernels.Weights;

/// <summary>How a weight's float32 scales lie beside its values. GGUF block types carry theirs inside.</summary>
public enum ScaleLayout
{
    None,

    /// <summary>[N]: one per output row.</summary>
    PerRow,

    /// <summary>[ceil(N / BlockRows), ceil(K / BlockColumns)]: DeepSeek's FP8 layout; edge blocks are ragged.</summary>
    Block,
}
