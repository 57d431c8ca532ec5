using Hadal.Numerics;

namespace Hadal.Formats.Gguf;

/// <summary>A tensor that is yet to be written into a GGUF file.</summary>
/// <param name="Name">llama.cpp's name.</param>
/// <param name="DType">F32, F16, BF16 or a block type.</param>
/// <param name="Shape">Row-major shape; the file has it the other way round.</param>
public sealed record GgufTensorPlan(string Name, DType DType, long[] Shape)
{
    public long ByteLength => checked(DType.RowBytes(Shape[^1]) * Shape.Take(Shape.Length - 1).Aggregate(1L, (a, b) => checked(a * b)));
}
