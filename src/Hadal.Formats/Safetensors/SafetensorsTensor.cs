using Hadal.Numerics;

namespace Hadal.Formats.Safetensors;

/// <summary>One entry of a safetensors header, checked against the file.</summary>
/// <param name="Name">Key in the header.</param>
/// <param name="DType">Element type.</param>
/// <param name="Shape">Row-major shape; empty for a scalar.</param>
/// <param name="Offset">First byte, counted from the start of the file.</param>
/// <param name="ByteLength">Bytes it takes.</param>
public sealed record SafetensorsTensor(string Name, DType DType, long[] Shape, long Offset, long ByteLength);
