using Hadal.Numerics;

namespace Hadal.Optimize.Quantization;

/// <summary>Formats as people write them.</summary>
public static class WeightFormats
{
    private static readonly (WeightFormat Format, string Name)[] _names =
    [
        (WeightFormat.Bf16, "bf16"), (WeightFormat.Fp8Block, "fp8-block"), (WeightFormat.Fp8Channel, "fp8-channel"),
        (WeightFormat.Int8, "int8"), (WeightFormat.Int8Weight, "int8-weight"), (WeightFormat.Int4, "int4"),
    ];

    public static string All => string.Join(", ", _names.Select(n => n.Name));

    public static string NameOf(WeightFormat format) => _names.First(n => n.Format == format).Name;

    public static bool TryParse(string text, out WeightFormat format)
    {
        foreach ((WeightFormat f, string name) in _names)
        {
            if (name == text)
            {
                format = f;
                return true;
            }
        }

        format = default;
        return false;
    }

    /// <exception cref="HadalException">It is none.</exception>
    public static WeightFormat Parse(string text, string what)
        => TryParse(text, out WeightFormat format) ? format : throw new HadalException($"{what}: '{text}' is no format; expected one of {All}.");
}
