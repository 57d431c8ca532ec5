namespace Hadal.Kernels.MatMul;

/// <summary>Sizes of a <see cref="DeviceWeight"/> before it has memory.</summary>
/// <param name="Kind">How it will lie there.</param>
/// <param name="Rows">N.</param>
/// <param name="Columns">K.</param>
/// <param name="RowBytes">From row to row.</param>
/// <param name="ScaleStride">As the weight's.</param>
/// <param name="GroupSize">As the weight's.</param>
/// <param name="Units">Pieces of the data that can be filled independently, of equal size.</param>
/// <param name="DataBytes">Of the values.</param>
/// <param name="ScaleUnits">Pieces of the scales (and minimums), of equal size.</param>
/// <param name="ScaleBytes">0 where there are none.</param>
/// <param name="MinBytes">0 where there are none.</param>
public readonly record struct DeviceWeightLayout(
    DeviceWeightKind Kind, int Rows, int Columns, long RowBytes, int ScaleStride, int GroupSize, int Units, long DataBytes, int ScaleUnits, long ScaleBytes, long MinBytes)
{
    public DeviceWeight At(nint data, nint scales, nint mins) => new(Kind, Rows, Columns, data, RowBytes, scales, ScaleStride, mins, GroupSize);
}
