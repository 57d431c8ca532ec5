using System.Text.Json;
using Hadal.Formats.Checkpoints;
using Hadal.Numerics;

namespace Hadal.Formats.Config;

/// <summary>A JSON object of a configuration file with checked access: every error names file, key, what was found and what was expected.</summary>
/// <remarks>A key whose value is null counts as absent, as in the reference implementation.</remarks>
internal readonly struct ConfigObject(JsonElement element, string file, string prefix)
{
    public string File { get; } = file;

    public bool Has(string key) => Find(key) is not null;

    /// <summary>The key is written down, if only as null.</summary>
    public bool Mentions(string key) => element.TryGetProperty(key, out _);

    /// <summary>The keys, in the file's order.</summary>
    public IEnumerable<string> Names()
    {
        foreach (JsonProperty property in element.EnumerateObject())
        {
            yield return property.Name;
        }
    }

    public int Int(string key, int min, int max)
        => OptionalInt(key, min, max) ?? throw Bad(key, "is missing", $"expected a whole number from {min} to {max}");

    public int? OptionalInt(string key, int min, int max) => Find(key) is { } e ? ToInt(e, key, min, max) : null;

    public double? OptionalNumber(string key, double min, double max)
    {
        if (Find(key) is not { } e)
        {
            return null;
        }

        if (e.ValueKind != JsonValueKind.Number || !e.TryGetDouble(out double v) || !(v >= min && v <= max))
        {
            throw Bad(key, $"is {Show(e)}", $"expected a number from {min} to {max}");
        }

        return v;
    }

    public bool? OptionalBool(string key)
        => Find(key) is not { } e
            ? null
            : e.ValueKind switch
            {
                JsonValueKind.True => true,
                JsonValueKind.False => false,
                _ => throw Bad(key, $"is {Show(e)}", "expected true or false"),
            };

    public string? OptionalString(string key)
    {
        if (Find(key) is not { } e)
        {
            return null;
        }

        return e.ValueKind == JsonValueKind.String ? e.GetString()! : throw Bad(key, $"is {Show(e)}", "expected a string");
    }

    public ConfigObject? OptionalObject(string key)
    {
        if (Find(key) is not { } e)
        {
            return null;
        }

        return e.ValueKind == JsonValueKind.Object
            ? new ConfigObject(e, File, prefix + key + ".")
            : throw Bad(key, $"is {Show(e)}", "expected an object");
    }

    public List<string>? OptionalStrings(string key, int maxCount)
    {
        if (Find(key) is not { } e)
        {
            return null;
        }

        if (e.ValueKind != JsonValueKind.Array || e.GetArrayLength() > maxCount)
        {
            throw Bad(key, $"is {Show(e)}", $"expected an array of at most {maxCount} strings");
        }

        var list = new List<string>();
        foreach (JsonElement item in e.EnumerateArray())
        {
            list.Add(item.ValueKind == JsonValueKind.String ? item.GetString()! : throw Bad(key, $"holds {Show(item)}", "expected strings"));
        }

        return list;
    }

    /// <summary>A number, or an array of numbers.</summary>
    public List<int> IntOrInts(string key, int min, int max, int maxCount)
    {
        var list = new List<int>();
        if (Find(key) is not { } e)
        {
            return list;
        }

        if (e.ValueKind != JsonValueKind.Array)
        {
            list.Add(ToInt(e, key, min, max));
            return list;
        }

        if (e.GetArrayLength() > maxCount)
        {
            throw Bad(key, $"has {e.GetArrayLength()} elements", $"expected at most {maxCount}");
        }

        foreach (JsonElement item in e.EnumerateArray())
        {
            list.Add(ToInt(item, key, min, max));
        }

        return list;
    }

    /// <summary>The first key whose value is an object; null for none.</summary>
    public string? FirstNestedObject()
    {
        foreach (JsonProperty p in element.EnumerateObject())
        {
            if (p.Value.ValueKind == JsonValueKind.Object)
            {
                return p.Name;
            }
        }

        return null;
    }

    public HadalException Bad(string key, string found, string expected)
        => new($"{File}: '{prefix}{key}' {found}; {expected}");

    private int ToInt(JsonElement e, string key, int min, int max)
    {
        // Some writers put 1e4 or 2048.0 for whole numbers; a double holds every int.
        if (e.ValueKind != JsonValueKind.Number || !e.TryGetDouble(out double v) || v != Math.Floor(v) || !(v >= min && v <= max))
        {
            throw Bad(key, $"is {Show(e)}", $"expected a whole number from {min} to {max}");
        }

        return (int)v;
    }

    private static string Show(JsonElement e) => e.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.True => "true",
        JsonValueKind.False => "false",
        _ => HostileText.Quote(e.GetRawText()),
    };

    private JsonElement? Find(string key)
        => element.TryGetProperty(key, out JsonElement e) && e.ValueKind != JsonValueKind.Null ? e : null;
}
