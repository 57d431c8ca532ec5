using Hadal.Numerics;

namespace Hadal.Formats.Gguf;

/// <summary>ggml's numbers for tensor types (ggml.h: enum ggml_type).</summary>
internal static class GgmlTypes
{
    // Those without a DType can be listed but not computed with.
    private static readonly (uint Id, string Name, DType? DType)[] _known =
    [
        (0, "F32", Numerics.DType.F32), (1, "F16", Numerics.DType.F16), (30, "BF16", Numerics.DType.Bf16),
        (2, "Q4_0", Numerics.DType.Q4_0), (3, "Q4_1", Numerics.DType.Q4_1), (6, "Q5_0", Numerics.DType.Q5_0), (7, "Q5_1", Numerics.DType.Q5_1),
        (8, "Q8_0", Numerics.DType.Q8_0), (12, "Q4_K", Numerics.DType.Q4_K), (13, "Q5_K", Numerics.DType.Q5_K), (14, "Q6_K", Numerics.DType.Q6_K),
        (24, "I8", Numerics.DType.I8), (25, "I16", Numerics.DType.I16), (26, "I32", Numerics.DType.I32), (27, "I64", Numerics.DType.I64), (28, "F64", Numerics.DType.F64),
        (9, "Q8_1", null), (10, "Q2_K", null), (11, "Q3_K", null), (15, "Q8_K", null), (16, "IQ2_XXS", null), (17, "IQ2_XS", null),
        (18, "IQ3_XXS", null), (19, "IQ1_S", null), (20, "IQ4_NL", null), (21, "IQ3_S", null), (22, "IQ2_S", null), (23, "IQ4_XS", null),
        (29, "IQ1_M", null), (34, "TQ1_0", null), (35, "TQ2_0", null), (39, "MXFP4", null), (40, "NVFP4", null),
    ];

    public static string Supported => "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K";

    public static DType? DTypeOf(uint id)
    {
        foreach ((uint i, _, DType? d) in _known)
        {
            if (i == id)
            {
                return d;
            }
        }

        return null;
    }

    /// <returns>Null for types that are not ggml's.</returns>
    public static uint? IdOf(DType dtype)
    {
        foreach ((uint id, _, DType? d) in _known)
        {
            if (d == dtype)
            {
                return id;
            }
        }

        return null;
    }

    public static string NameOf(uint id)
    {
        foreach ((uint i, string name, _) in _known)
        {
            if (i == id)
            {
                return name;
            }
        }

        return $"ggml type {id}";
    }
}
