using Hadal.Numerics;

namespace Hadal.Formats.Safetensors;

/// <summary>The names of element types in safetensors headers (safetensors 0.6, tensor.rs: enum Dtype).</summary>
internal static class SafetensorsDTypes
{
    private static readonly (DType DType, string Name)[] _names =
    [
        (DType.F32, "F32"), (DType.F16, "F16"), (DType.Bf16, "BF16"), (DType.F8E4M3, "F8_E4M3"), (DType.F8E5M2, "F8_E5M2"),
        (DType.I8, "I8"), (DType.U8, "U8"), (DType.I16, "I16"), (DType.U16, "U16"), (DType.I32, "I32"), (DType.U32, "U32"),
        (DType.I64, "I64"), (DType.U64, "U64"), (DType.F64, "F64"), (DType.Bool, "BOOL"),
    ];

    public static string All => string.Join(", ", _names.Select(n => n.Name));

    public static bool TryParse(string name, out DType dtype)
    {
        foreach ((DType d, string n) in _names)
        {
            if (n == name)
            {
                dtype = d;
                return true;
            }
        }

        dtype = default;
        return false;
    }

    /// <returns>null for types that safetensors does not know.</returns>
    public static string? NameOf(DType dtype)
    {
        foreach ((DType d, string n) in _names)
        {
            if (d == dtype)
            {
                return n;
            }
        }

        return null;
    }
}
