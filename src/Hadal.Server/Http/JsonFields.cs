using System.Globalization;
using System.Text.Json;

namespace Hadal.Server.Http;

/// <summary>Typed reads of an object's fields. Absent and null are the same; anything else of a wrong type or range is the client's error, by field name.</summary>
internal readonly struct JsonFields(JsonElement element, string prefix = "")
{
    public JsonElement Element => element;

    public static string Describe(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "a boolean",
        _ => "null",
    };

    public static ApiException WrongType(string path, JsonElement value, string expected) =>
        ApiException.Invalid(path, $"'{path}' is {Describe(value.ValueKind)}; {expected} is expected.", "invalid_type");

    public string Path(string name) => prefix + name;

    public bool TryGet(string name, out JsonElement value) =>
        element.TryGetProperty(name, out value) && value.ValueKind != JsonValueKind.Null;

    public bool TryGet(string name, JsonValueKind kind, out JsonElement value)
    {
        if (!TryGet(name, out value))
            return false;
        return value.ValueKind == kind ? true : throw WrongType(Path(name), value, Describe(kind));
    }

    public string? String(string name) => TryGet(name, JsonValueKind.String, out var value) ? value.GetString() : null;

    public string RequiredString(string name) =>
        String(name) ?? throw ApiException.Invalid(Path(name), $"'{Path(name)}' is missing.", "missing_required_parameter");

    public bool? Bool(string name)
    {
        if (!TryGet(name, out var value))
            return null;
        return value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw WrongType(Path(name), value, "a boolean"),
        };
    }

    public int? Int(string name, int min, int max)
    {
        if (!TryGet(name, JsonValueKind.Number, out var value))
            return null;
        return value.TryGetInt32(out int number) && number >= min && number <= max
            ? number
            : throw OutOfRange(name, value, string.Create(CultureInfo.InvariantCulture, $"an integer from {min} to {max}"));
    }

    public long? Long(string name)
    {
        if (!TryGet(name, JsonValueKind.Number, out var value))
            return null;
        return value.TryGetInt64(out long number) ? number : throw OutOfRange(name, value, "an integer of 64 bits");
    }

    /// <summary>A finite number from <paramref name="min"/> (itself left out where <paramref name="minExclusive"/>) to <paramref name="max"/>.</summary>
    public float? Float(string name, float min, float max, bool minExclusive = false)
    {
        if (!TryGet(name, JsonValueKind.Number, out var value))
            return null;

        // 1e999 reads as infinity; the comparisons refuse it and would refuse NaN.
        double number = value.GetDouble();
        bool inside = (minExclusive ? number > min : number >= min) && number <= max;
        return inside
            ? (float)number
            : throw OutOfRange(name, value, string.Create(CultureInfo.InvariantCulture, $"a number {(minExclusive ? "above" : "from")} {min} {(minExclusive ? "and up to" : "to")} {max}"));
    }

    /// <summary>A string, or an array of them; empty where absent.</summary>
    public string[] Strings(string name, int maxCount)
    {
        if (!TryGet(name, out var value))
            return [];
        if (value.ValueKind == JsonValueKind.String)
            return [value.GetString()!];
        if (value.ValueKind != JsonValueKind.Array)
            throw WrongType(Path(name), value, "a string or an array of strings");
        string path = Path(name);
        RefuseTooMany(name, value, maxCount);
        var strings = new string[value.GetArrayLength()];
        int i = 0;
        foreach (var item in value.EnumerateArray())
        {
            strings[i] = item.ValueKind == JsonValueKind.String ? item.GetString()! : throw WrongType($"{path}[{i}]", item, "a string");
            i++;
        }

        return strings;
    }

    /// <summary>An array of token ids; empty where absent.</summary>
    public int[] TokenIds(string name, int vocabSize, int maxCount) =>
        TryGet(name, JsonValueKind.Array, out var value) ? TokenIds(value, Path(name), vocabSize, maxCount) : [];

    public static int[] TokenIds(JsonElement array, string path, int vocabSize, int maxCount = int.MaxValue)
    {
        int count = array.GetArrayLength();
        if (count > maxCount)
            throw ApiException.Invalid(path, $"'{path}' has {count} entries; at most {maxCount} are taken.", "invalid_value");
        var ids = new int[count];
        int i = 0;
        foreach (var item in array.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number)
                throw WrongType($"{path}[{i}]", item, "a token id (an integer)");
            if (!item.TryGetInt32(out ids[i]) || (uint)ids[i] >= (uint)vocabSize)
                throw ApiException.Invalid($"{path}[{i}]", $"'{path}[{i}]' is {ApiException.Shorten(item.GetRawText())}; token ids of this model are integers from 0 to {vocabSize - 1}.", "invalid_value");
            i++;
        }

        return ids;
    }

    private void RefuseTooMany(string name, JsonElement array, int maxCount)
    {
        int count = array.GetArrayLength();
        if (count > maxCount)
            throw ApiException.Invalid(Path(name), $"'{Path(name)}' has {count} entries; at most {maxCount} are taken.", "invalid_value");
    }

    private ApiException OutOfRange(string name, JsonElement value, string expected) =>
        ApiException.Invalid(Path(name), $"'{Path(name)}' is {ApiException.Shorten(value.GetRawText())}; {expected} is expected.", "invalid_value");
}
