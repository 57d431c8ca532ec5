using System.Globalization;
using Hadal.Numerics;

namespace Hadal.Formats.Gguf;

/// <summary>Checked access to the metadata of one architecture: keys are given without their prefix ("block_count" for "llama.block_count").</summary>
internal readonly struct GgufFields(GgufFile file, string architecture)
{
    public bool Has(string key) => file.Metadata.ContainsKey($"{architecture}.{key}");

    public int Int(string key, int min, int max)
        => OptionalInt(key, min, max) ?? throw Bad(key, "is missing", $"expected a whole number from {min} to {max}");

    /// <summary>An array, as some converters write for each layer, is taken where all its elements agree.</summary>
    public int? OptionalInt(string key, int min, int max)
    {
        if (!file.Metadata.TryGetValue($"{architecture}.{key}", out GgufValue? value))
        {
            return null;
        }

        long n;
        if (value.Type == GgufValueType.Array)
        {
            long[] perLayer = value.AsIntegers();
            n = perLayer.Length > 0 ? perLayer[0] : throw Bad(key, "is an empty array", "expected a whole number");
            if (perLayer.AsSpan().ContainsAnyExcept(n))
            {
                throw Bad(key, "differs between layers", "expected the same everywhere: models whose layers differ in it are not supported");
            }
        }
        else
        {
            n = value.AsInteger();
        }

        return n >= min && n <= max ? (int)n : throw Bad(key, $"is {n}", $"expected {min} to {max}");
    }

    /// <summary>
    /// Converters round the decimal numbers of config.json to f32; the shortest decimal that rounds to the same f32 gives the original back.
    /// </summary>
    public double? OptionalNumber(string key, double min, double max)
    {
        if (!file.Metadata.TryGetValue($"{architecture}.{key}", out GgufValue? value))
        {
            return null;
        }

        double v = value.AsNumber();
        if (value.Type == GgufValueType.Float32 && double.IsFinite(v))
        {
            v = double.Parse(((float)v).ToString("R", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        }

        return v >= min && v <= max ? v : throw Bad(key, $"is {v.ToString(CultureInfo.InvariantCulture)}", $"expected a number from {min} to {max}");
    }

    public bool? OptionalBool(string key)
        => file.Metadata.TryGetValue($"{architecture}.{key}", out GgufValue? value) ? value.AsBool() : null;

    public string? OptionalString(string key)
        => file.Metadata.TryGetValue($"{architecture}.{key}", out GgufValue? value) ? value.AsString() : null;

    public HadalException Bad(string key, string found, string expected)
        => new($"{file.Path}: metadata '{architecture}.{key}' {found}; {expected}");
}
