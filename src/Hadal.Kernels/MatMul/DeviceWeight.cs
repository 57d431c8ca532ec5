namespace Hadal.Kernels.MatMul;

/// <summary>A matrix of weights [N, K] in a card's memory; stacked experts are one matrix of all their rows.</summary>
/// <param name="Kind">How it lies there.</param>
/// <param name="Rows">N.</param>
/// <param name="Columns">K.</param>
/// <param name="Data">The values; 256-byte aligned.</param>
/// <param name="RowBytes">From row to row, a multiple of 16; what lies behind K columns is zero.</param>
/// <param name="Scales">0 where there are none.</param>
/// <param name="ScaleStride">Blocks: scales in a row of blocks. Groups: N; their scales are f16 [ceil(RowBytes / 128), N, groups in 128 bytes of a row].</param>
/// <param name="Mins">f16, added to scale · code, as the groups' scales lie; 0 where there are none: then 4-bit codes are 8 above their weight.</param>
/// <param name="GroupSize">Columns that share a scale; 0 where there are no groups.</param>
public readonly record struct DeviceWeight(DeviceWeightKind Kind, int Rows, int Columns, nint Data, long RowBytes, nint Scales, int ScaleStride, nint Mins, int GroupSize)
{
    /// <summary>Side of the blocks of <see cref="DeviceWeightKind.Fp8Block"/>.</summary>
    public const int BlockSide = 128;
}
