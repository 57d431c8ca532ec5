using Hadal.Numerics;

namespace Hadal.Formats.Gguf;

/// <summary>One tensor of a GGUF file, checked against the file.</summary>
/// <param name="Name">Name in the file.</param>
/// <param name="TypeName">ggml's name of the element type.</param>
/// <param name="DType">The element type; null for those that can be listed but not read.</param>
/// <param name="Shape">Row-major, last dimension contiguous: the reverse of ggml's <c>ne</c>.</param>
/// <param name="Offset">First byte, counted from the start of the file.</param>
/// <param name="ByteLength">Bytes it takes; for types that cannot be read, up to the next tensor.</param>
public sealed record GgufTensorInfo(string Name, string TypeName, DType? DType, long[] Shape, long Offset, long ByteLength);
