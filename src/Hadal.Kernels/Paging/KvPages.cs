using Hadal.Numerics;

namespace Hadal.Kernels.Paging;

/// <summary>
/// One layer's pages, [NumBlocks, BlockSize, Width] row-major: slot s starts at element s * Width.
/// Grouped-query attention keeps K then V of all KV heads in a row (Width = 2 * HKv * D); MLA keeps latent then rotated key (Width = C + R), once for all heads.
/// </summary>
public readonly unsafe struct KvPages(byte* data, DType dtype, int width)
{
    public byte* Data { get; } = data;

    /// <summary>F32 or Bf16.</summary>
    public DType DType { get; } = dtype;

    public int Width { get; } = width;
}
