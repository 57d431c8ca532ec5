using Hadal.Numerics;

namespace Hadal.Formats.Safetensors;

/// <summary>A tensor that is yet to be written: what its place in a file is known from.</summary>
/// <param name="Name">Name in the file.</param>
/// <param name="DType">A type that safetensors has a name for.</param>
/// <param name="Shape">Row-major shape.</param>
public sealed record TensorPlan(string Name, DType DType, long[] Shape)
{
    public long ByteLength
    {
        get
        {
            long bytes = DType.BlockBytes;
            foreach (long d in Shape)
            {
                bytes = checked(bytes * d);
            }

            return bytes;
        }
    }
}
