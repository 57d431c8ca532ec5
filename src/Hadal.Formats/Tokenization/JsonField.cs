using System.Text.Json;
using Hadal.Numerics;

namespace Hadal.Formats.Tokenization;

/// <summary>A JSON value that knows its file and path, so that a wrong one can be named.</summary>
internal readonly record struct JsonField(JsonElement Element, string File, string Path)
{
    public const int MaxFileBytes = 256 << 20;

    public static JsonDocument Parse(string path, byte[] bytes)
    {
        try
        {
            return JsonDocument.Parse(bytes);
        }
        catch (JsonException e)
        {
            throw Broken(path, e);
        }
    }

    public static HadalException Broken(string file, JsonException e) =>
        new($"{file} is no valid JSON{JsonPosition.Of(e)}: {e.Message} Download the file again.", e);

    public static JsonField Root(JsonDocument document, string file)
    {
        var root = new JsonField(document.RootElement, file, "$");
        return root.Element.ValueKind == JsonValueKind.Object ? root : throw root.Wrong("an object");
    }

    public JsonField this[string name] => Find(name) ?? throw new HadalException($"{File}: {Path} has no '{name}'.");

    /// <summary>The property, or null when it is absent or null.</summary>
    public JsonField? Find(string name)
    {
        if (Element.ValueKind != JsonValueKind.Object) throw Wrong("an object");
        return Element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null
            ? new JsonField(value, File, $"{Path}.{name}")
            : null;
    }

    public IEnumerable<JsonField> Items()
    {
        if (Element.ValueKind != JsonValueKind.Array) throw Wrong("an array");
        int index = 0;
        foreach (JsonElement item in Element.EnumerateArray()) yield return new JsonField(item, File, $"{Path}[{index++}]");
    }

    public string String()
    {
        if (Element.ValueKind != JsonValueKind.String) throw Wrong("a string");
        try
        {
            return Element.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            // Bytes that are no UTF-8, or half a surrogate pair escaped.
            throw new HadalException($"{File}: {Path} is a string that is not valid text: {e.Message}", e);
        }
    }

    public bool Bool() => Element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Wrong("true or false"),
    };

    public int Int() => Element.ValueKind == JsonValueKind.Number && Element.TryGetInt32(out int value) ? value : throw Wrong("an integer");

    public HadalException Wrong(string expected)
    {
        string found = Element.ValueKind is JsonValueKind.Object or JsonValueKind.Array ? $"an {Element.ValueKind}" : Element.GetRawText();
        return new HadalException($"{File}: {Path} is {(found.Length > 80 ? found[..80] + "…" : found)}, expected {expected}.");
    }
}
