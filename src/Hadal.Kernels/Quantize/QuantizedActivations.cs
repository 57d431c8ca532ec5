using Hadal.Kernels.Cuda;

namespace Hadal.Kernels.Quantize;

/// <summary>Where quantised activations go.</summary>
/// <param name="Format">Elements and scales.</param>
/// <param name="Values">[T, K] e4m3 or int8; row strides in multiples of 16.</param>
/// <param name="Scales">f32: row t's at t · ScaleRowStride, its group g's at g · ScaleGroupStride from there.</param>
/// <param name="ScaleRowStride">Floats from row to row: ceil(K / 128) for groups by rows, 1 for groups by columns of rows and for one scale a row.</param>
/// <param name="ScaleGroupStride">Floats from group to group; not read for one scale a row.</param>
public readonly record struct QuantizedActivations(ActivationFormat Format, DeviceMatrix Values, nint Scales, int ScaleRowStride, int ScaleGroupStride);
