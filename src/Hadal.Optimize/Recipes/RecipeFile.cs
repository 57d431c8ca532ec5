using System.Text.Json;
using Hadal.Numerics;
using Hadal.Optimize.Quantization;

namespace Hadal.Optimize.Recipes;

/// <summary>Recipes as JSON. Unknown keys are errors: a mistyped one would silently change the result.</summary>
public static class RecipeFile
{
    private const int MaxBytes = 16 << 20;
    private const int MaxRules = 1 << 16;
    private const int MaxText = 4096;

    /// <exception cref="HadalException">It cannot be read, or says what there is not.</exception>
    public static QuantRecipe Read(string path)
    {
        try
        {
            if (new FileInfo(path) is { Exists: true, Length: > MaxBytes } file)
            {
                throw new HadalException($"{path}: has {file.Length} bytes; a recipe has at most {MaxBytes}.");
            }

            return Parse(File.ReadAllBytes(path), path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new HadalException($"{path}: cannot be read: {e.Message}", e);
        }
    }

    /// <param name="json">The recipe.</param>
    /// <param name="origin">For messages.</param>
    public static QuantRecipe Parse(ReadOnlyMemory<byte> json, string origin)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 8, AllowDuplicateProperties = false, CommentHandling = JsonCommentHandling.Skip });
            return Read(document.RootElement, origin);
        }
        catch (JsonException e)
        {
            throw new HadalException($"{origin}: is not valid JSON: {e.Message}", e);
        }
        catch (InvalidOperationException e)
        {
            throw new HadalException($"{origin}: holds a string that is not valid Unicode: {e.Message}", e);
        }
    }

    public static byte[] Write(QuantRecipe recipe)
    {
        using var memory = new MemoryStream();
        using (var json = new Utf8JsonWriter(memory, new JsonWriterOptions { Indented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteNumber("version", 1);
            json.WriteString("method", recipe.Method == QuantMethod.Gptq ? "gptq" : "rtn");
            json.WriteNumber("group_size", recipe.GroupSize);
            if (recipe.Smooth is { } smooth)
            {
                json.WriteNumber("smooth", smooth);
            }

            json.WriteBoolean("activation_aware", recipe.ActivationAware);
            json.WriteNumber("damping", recipe.Damping);
            json.WriteStartArray("rules");
            foreach (QuantRule rule in recipe.Rules)
            {
                json.WriteStartObject();
                json.WriteString("match", rule.Match);
                json.WriteString("format", WeightFormats.NameOf(rule.Format));
                json.WriteString("why", rule.Why);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return memory.ToArray();
    }

    private static QuantRecipe Read(JsonElement root, string origin)
    {
        Require(root, JsonValueKind.Object, origin, "the recipe", "an object");
        var recipe = new QuantRecipe();
        bool version = false;
        foreach (JsonProperty p in root.EnumerateObject())
        {
            switch (p.Name)
            {
                case "version":
                    version = p.Value.ValueKind == JsonValueKind.Number && p.Value.TryGetInt32(out int v) && v == 1
                        ? true
                        : throw new HadalException($"{origin}: 'version' is {Show(p.Value)}; expected 1.");
                    break;
                case "method":
                    recipe = recipe with
                    {
                        Method = Text(p.Value, origin, p.Name) switch
                        {
                            "rtn" => QuantMethod.Rtn,
                            "gptq" => QuantMethod.Gptq,
                            _ => throw new HadalException($"{origin}: 'method' is {Show(p.Value)}; expected rtn or gptq."),
                        },
                    };
                    break;
                case "group_size":
                    recipe = recipe with { GroupSize = (int)Number(p.Value, origin, p.Name, 0, 1 << 20, whole: true) };
                    break;
                case "smooth":
                    recipe = recipe with { Smooth = p.Value.ValueKind == JsonValueKind.Null ? null : Number(p.Value, origin, p.Name, 0, 1, whole: false) };
                    break;
                case "activation_aware":
                    recipe = recipe with { ActivationAware = p.Value.ValueKind is JsonValueKind.True or JsonValueKind.False ? p.Value.GetBoolean() : throw new HadalException($"{origin}: 'activation_aware' is {Show(p.Value)}; expected true or false.") };
                    break;
                case "damping":
                    recipe = recipe with { Damping = Number(p.Value, origin, p.Name, 1e-6, 1, whole: false) };
                    break;
                case "rules":
                    Require(p.Value, JsonValueKind.Array, origin, "'rules'", "an array");
                    if (p.Value.GetArrayLength() > MaxRules)
                    {
                        throw new HadalException($"{origin}: 'rules' has {p.Value.GetArrayLength()} elements; expected at most {MaxRules}.");
                    }

                    recipe = recipe with { Rules = [.. p.Value.EnumerateArray().Select((e, i) => Rule(e, origin, i))] };
                    break;
                default:
                    throw new HadalException($"{origin}: '{Short(p.Name)}' is no key of a recipe; expected version, method, group_size, smooth, activation_aware, damping, rules.");
            }
        }

        return !version ? throw new HadalException($"{origin}: 'version' is missing; expected 1.")
            : recipe.Rules.Count == 0 ? throw new HadalException($"{origin}: has no 'rules', so nothing would be quantised.")
            : recipe;
    }

    private static QuantRule Rule(JsonElement e, string origin, int index)
    {
        string where = $"rules[{index}]";
        Require(e, JsonValueKind.Object, origin, $"'{where}'", "an object with match and format");
        string? match = null;
        WeightFormat? format = null;
        string why = "by the recipe";
        foreach (JsonProperty p in e.EnumerateObject())
        {
            switch (p.Name)
            {
                case "match":
                    match = Text(p.Value, origin, $"{where}.match");
                    break;
                case "format":
                    string name = Text(p.Value, origin, $"{where}.format");
                    format = WeightFormats.TryParse(name, out WeightFormat f) ? f : throw new HadalException($"{origin}: '{where}.format' is '{Short(name)}'; expected one of {WeightFormats.All}.");
                    break;
                case "why":
                    why = Text(p.Value, origin, $"{where}.why");
                    break;
                default:
                    throw new HadalException($"{origin}: '{where}.{Short(p.Name)}' is no key of a rule; expected match, format, why.");
            }
        }

        return new QuantRule(
            match ?? throw new HadalException($"{origin}: '{where}.match' is missing; expected a unit's name, * for any characters."),
            format ?? throw new HadalException($"{origin}: '{where}.format' is missing; expected one of {WeightFormats.All}."),
            why);
    }

    private static string Text(JsonElement e, string origin, string key)
    {
        Require(e, JsonValueKind.String, origin, $"'{key}'", "a string");
        string text = e.GetString()!;
        return text.Length is > 0 and <= MaxText ? text : throw new HadalException($"{origin}: '{key}' has {text.Length} characters; expected 1 to {MaxText}.");
    }

    private static double Number(JsonElement e, string origin, string key, double min, double max, bool whole)
        => e.ValueKind == JsonValueKind.Number && e.TryGetDouble(out double v) && v >= min && v <= max && (!whole || v == Math.Floor(v))
            ? v
            : throw new HadalException($"{origin}: '{key}' is {Show(e)}; expected a {(whole ? "whole " : "")}number from {min} to {max}.");

    private static void Require(JsonElement e, JsonValueKind kind, string origin, string what, string expected)
    {
        if (e.ValueKind != kind)
        {
            throw new HadalException($"{origin}: {what} is {Show(e)}; expected {expected}.");
        }
    }

    private static string Show(JsonElement e) => e.ValueKind is JsonValueKind.Object ? "an object" : e.ValueKind is JsonValueKind.Array ? "an array" : Short(e.GetRawText());

    private static string Short(string text)
    {
        string cut = text.Length > 60 ? text[..60] + "…" : text;
        return string.Concat(cut.Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '\uFFFD' : c));
    }
}
