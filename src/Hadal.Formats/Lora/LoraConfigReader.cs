using System.Text.Json;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Config;
using Hadal.Numerics;

namespace Hadal.Formats.Lora;

/// <summary>Reads adapter_config.json as PEFT writes it, and refuses by name whatever would make the adapter compute something else than W + s·B·A.</summary>
internal static class LoraConfigReader
{
    public const int MaxRank = 4096;

    private const int MaxBytes = 4 << 20;
    private const int MaxPatterns = 4096;
    private const double MaxAlpha = 1e6;

    // These change the base weights when training begins; the pair alone is then not what was trained.
    private static readonly string[] _changesBase = ["pissa", "olora", "loftq", "corda", "lora_ga"];

    public static LoraConfig Read(string path)
    {
        byte[] bytes = JsonFile.ReadAllBytes(path, MaxBytes);
        try
        {
            using JsonDocument document = JsonDocument.Parse(bytes, new JsonDocumentOptions { MaxDepth = 32 });
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw new HadalException($"{path}: is no JSON object; an adapter's configuration is one.");
            }

            return Read(document.RootElement, new ConfigObject(document.RootElement, path, ""), path);
        }
        catch (JsonException e)
        {
            throw new HadalException($"{path}: is no JSON: {e.Message}", e);
        }
        catch (InvalidOperationException e)
        {
            throw new HadalException($"{path}: a string is not valid Unicode: {e.Message}", e);
        }
    }

    private static LoraConfig Read(JsonElement root, ConfigObject c, string path)
    {
        string type = c.OptionalString("peft_type") ?? "(absent)";
        if (type != "LORA")
        {
            throw c.Bad("peft_type", $"is {HostileText.Quote(type)}", "expected 'LORA'");
        }

        RefuseOtherMethods(root, c);
        (IReadOnlyList<string>? targets, LoraPattern? pattern) = ReadTargets(root, c, path);
        return new LoraConfig
        {
            Rank = c.Int("r", 1, MaxRank),
            Alpha = c.OptionalNumber("lora_alpha", -MaxAlpha, MaxAlpha) ?? throw c.Bad("lora_alpha", "is missing", "expected a number"),
            UseRslora = c.OptionalBool("use_rslora") ?? false,
            TargetModules = targets,
            TargetPattern = pattern,
            RankPattern = ReadPatterns(root, c, path, "rank_pattern", 1, MaxRank, whole: true),
            AlphaPattern = ReadPatterns(root, c, path, "alpha_pattern", -MaxAlpha, MaxAlpha, whole: false),
        };
    }

    private static void RefuseOtherMethods(JsonElement root, ConfigObject c)
    {
        foreach ((string key, string what) in new[]
        {
            ("use_dora", "DoRA scales whole weights anew"), ("use_qalora", "QA-LoRA pools its inputs"), ("lora_bias", "biases of the pair are not supported"),
            ("fan_in_fan_out", "it is for layers that no family here has"),
        })
        {
            if (c.OptionalBool(key) == true)
            {
                throw c.Bad(key, "is true", $"{what}; only plain LoRA is supported");
            }
        }

        if (c.OptionalString("bias") is { } bias and not "none")
        {
            throw c.Bad("bias", $"is {HostileText.Quote(bias)}", "trained biases are not supported; expected 'none'");
        }

        foreach (string key in new[] { "modules_to_save", "layer_replication", "trainable_token_indices", "target_parameters" })
        {
            if (root.TryGetProperty(key, out JsonElement e) && !IsEmpty(e))
            {
                throw c.Bad(key, "is set", "what it adds to the pairs is not supported; expected null");
            }
        }

        if (root.TryGetProperty("init_lora_weights", out JsonElement init) && init.ValueKind == JsonValueKind.String
            && _changesBase.Any(m => init.GetString()!.StartsWith(m, StringComparison.OrdinalIgnoreCase)))
        {
            throw c.Bad("init_lora_weights", $"is {HostileText.Quote(init.GetString()!)}", "it changed the base weights before training; have PEFT convert the adapter to plain LoRA when it is saved (path_initial_model_for_weight_conversion)");
        }
    }

    private static bool IsEmpty(JsonElement e) => e.ValueKind switch
    {
        JsonValueKind.Null => true,
        JsonValueKind.Array => e.GetArrayLength() == 0,
        JsonValueKind.Object => !e.EnumerateObject().Any(),
        _ => false,
    };

    private static (IReadOnlyList<string>? Ends, LoraPattern? Pattern) ReadTargets(JsonElement root, ConfigObject c, string path)
    {
        if (!root.TryGetProperty("target_modules", out JsonElement e) || e.ValueKind == JsonValueKind.Null)
        {
            // PEFT then takes the model type's own; the file's tensors say which those were.
            return (null, null);
        }

        if (e.ValueKind == JsonValueKind.String)
        {
            string text = e.GetString()!;
            return (null, text == "all-linear" ? null : LoraPattern.Whole(text, $"{path}: 'target_modules'"));
        }

        List<string> ends = c.OptionalStrings("target_modules", MaxPatterns)!;
        return ends.Contains("") ? throw c.Bad("target_modules", "holds an empty name", "expected names of modules") : (ends, null);
    }

    private static List<(LoraPattern Pattern, double Value)> ReadPatterns(JsonElement root, ConfigObject c, string path, string key, double min, double max, bool whole)
    {
        var patterns = new List<(LoraPattern, double)>();
        if (!root.TryGetProperty(key, out JsonElement e) || e.ValueKind == JsonValueKind.Null)
        {
            return patterns;
        }

        if (e.ValueKind != JsonValueKind.Object || e.EnumerateObject().Count() > MaxPatterns)
        {
            throw c.Bad(key, "is no object, or one of too many keys", $"expected patterns with numbers, {MaxPatterns} at most");
        }

        foreach (JsonProperty p in e.EnumerateObject())
        {
            if (p.Value.ValueKind != JsonValueKind.Number || !p.Value.TryGetDouble(out double value) || !(value >= min && value <= max) || (whole && value != Math.Floor(value)))
            {
                throw c.Bad($"{key}.{p.Name}", $"is {HostileText.Quote(p.Value.GetRawText())}", $"expected a {(whole ? "whole " : "")}number from {min} to {max}");
            }

            patterns.Add((LoraPattern.End(p.Name, $"{path}: '{key}'"), value));
        }

        return patterns;
    }
}
