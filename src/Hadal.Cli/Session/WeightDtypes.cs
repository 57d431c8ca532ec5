using Hadal.Numerics;

namespace Hadal.Cli.Session;

/// <summary>Types of synthetic weights by the names of <c>--weight-dtype</c>.</summary>
internal static class WeightDtypes
{
    private static readonly Dictionary<string, DType> _types = new(StringComparer.Ordinal)
    {
        ["f32"] = DType.F32,
        ["f16"] = DType.F16,
        ["bf16"] = DType.Bf16,
        ["fp8"] = DType.F8E4M3,
        ["int8"] = DType.I8,
        ["q8_0"] = DType.Q8_0,
        ["q4_0"] = DType.Q4_0,
        ["q4_1"] = DType.Q4_1,
        ["q5_0"] = DType.Q5_0,
        ["q5_1"] = DType.Q5_1,
        ["q4_k"] = DType.Q4_K,
        ["q5_k"] = DType.Q5_K,
        ["q6_k"] = DType.Q6_K,
    };

    public static IEnumerable<string> Names => _types.Keys;

    public static DType Of(string name) => _types[name];

    public static string Name(DType dtype) => _types.First(t => t.Value == dtype).Key;

    /// <summary>As files name them: safetensors and GGUF agree where both have a type.</summary>
    public static string StoredName(DType dtype) => dtype == DType.F8E4M3 ? "F8_E4M3" : dtype.ToString().ToUpperInvariant();
}
