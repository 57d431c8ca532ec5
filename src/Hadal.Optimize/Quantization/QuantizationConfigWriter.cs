using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Hadal.Graph.Ir;
using Hadal.Optimize.Recipes;

namespace Hadal.Optimize.Quantization;

/// <summary>
/// <c>quantization_config</c> as other engines read it: DeepSeek's fp8 where all that is quantised is e4m3 in blocks, else compressed-tensors.
/// </summary>
/// <remarks>
/// Sources: DeepSeek-V3's config.json; github.com/vllm-project/compressed-tensors, quantization/quant_config.py, quant_args.py and config/base.py (CompressionFormat).
/// </remarks>
public static class QuantizationConfigWriter
{
    /// <summary>Whether formats are written in DeepSeek's layout.</summary>
    public static bool IsDeepSeek(IEnumerable<WeightFormat> formats)
    {
        WeightFormat[] distinct = [.. formats.Where(f => f != WeightFormat.Bf16).Distinct()];
        return distinct is [WeightFormat.Fp8Block];
    }

    /// <param name="config">config.json of the source.</param>
    /// <param name="units">Units of the model.</param>
    /// <param name="recipe">What they became.</param>
    /// <param name="unquantised">Matrices in no unit: routers, heads of prediction layers.</param>
    /// <returns>config.json of the result.</returns>
    public static byte[] Write(ReadOnlySpan<byte> config, IReadOnlyList<QuantUnit> units, QuantRecipe recipe, IEnumerable<WeightSpec> unquantised)
    {
        var root = (JsonObject)JsonNode.Parse(config)!;
        root.Remove("quantization_config");
        string[] ignore =
        [
            .. units.Where(u => recipe.FormatOf(u) == WeightFormat.Bf16).SelectMany(Targets),
            .. unquantised.Select(w => QuantUnits.Stem(w.Name)),
        ];
        WeightFormat[] formats = [.. units.Select(recipe.FormatOf).Where(f => f != WeightFormat.Bf16).Distinct().Order()];
        if (formats.Length > 0)
        {
            root["quantization_config"] = IsDeepSeek(formats) ? DeepSeek(ignore, units.Any(u => recipe.FormatOf(u) == WeightFormat.Bf16 && u.Layer >= 0)) : CompressedTensors(formats, units, recipe, ignore);
        }

        using var memory = new MemoryStream();
        using (var json = new Utf8JsonWriter(memory, new JsonWriterOptions { Indented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            root.WriteTo(json);
        }

        return memory.ToArray();
    }

    private static JsonObject DeepSeek(string[] ignore, bool mixed)
    {
        var q = new JsonObject
        {
            ["activation_scheme"] = "dynamic",
            ["fmt"] = "e4m3",
            ["quant_method"] = "fp8",
            ["weight_block_size"] = new JsonArray(MatrixSettings.BlockSide, MatrixSettings.BlockSide),
        };
        if (mixed)
        {
            // DeepSeek's own files quantise every matrix of a layer and name none.
            q["modules_to_not_convert"] = Strings(ignore);
        }

        return q;
    }

    private static JsonObject CompressedTensors(WeightFormat[] formats, IReadOnlyList<QuantUnit> units, QuantRecipe recipe, string[] ignore)
    {
        var groups = new JsonObject();
        for (int i = 0; i < formats.Length; i++)
        {
            WeightFormat format = formats[i];
            groups[$"group_{i}"] = new JsonObject
            {
                ["targets"] = formats.Length == 1 ? Strings(["Linear"]) : Strings([.. units.Where(u => recipe.FormatOf(u) == format).SelectMany(Targets)]),
                ["format"] = Compression(format),
                ["weights"] = Weights(format, recipe.GroupSize),
                ["input_activations"] = Activations(format),
                ["output_activations"] = null,
            };
        }

        return new JsonObject
        {
            ["quant_method"] = "compressed-tensors",
            ["format"] = formats.Select(Compression).Distinct().Count() == 1 ? Compression(formats[0]) : "mixed-precision",
            ["quantization_status"] = "compressed",
            ["config_groups"] = groups,
            ["ignore"] = Strings(ignore),
            ["kv_cache_scheme"] = null,
            ["global_compression_ratio"] = null,
        };
    }

    private static string Compression(WeightFormat format) => format switch
    {
        WeightFormat.Fp8Block or WeightFormat.Fp8Channel => "float-quantized",
        WeightFormat.Int8 => "int-quantized",
        _ => "pack-quantized",
    };

    private static JsonObject Weights(WeightFormat format, int groupSize)
    {
        bool grouped = format == WeightFormat.Int4 || (format == WeightFormat.Int8Weight && groupSize > 0);
        var w = new JsonObject
        {
            ["num_bits"] = format == WeightFormat.Int4 ? 4 : 8,
            ["type"] = format is WeightFormat.Fp8Block or WeightFormat.Fp8Channel ? "float" : "int",
            ["symmetric"] = true,
            ["strategy"] = format == WeightFormat.Fp8Block ? "block" : grouped ? "group" : "channel",
            ["group_size"] = grouped ? groupSize : null,
            ["dynamic"] = false,
            ["observer"] = "minmax",
        };
        if (format == WeightFormat.Fp8Block)
        {
            w["block_structure"] = new JsonArray(MatrixSettings.BlockSide, MatrixSettings.BlockSide);
        }

        return w;
    }

    private static JsonObject? Activations(WeightFormat format) => format switch
    {
        WeightFormat.Fp8Block => new JsonObject { ["num_bits"] = 8, ["type"] = "float", ["symmetric"] = true, ["strategy"] = "group", ["group_size"] = MatrixSettings.BlockSide, ["dynamic"] = true },
        WeightFormat.Fp8Channel or WeightFormat.Int8 => new JsonObject { ["num_bits"] = 8, ["type"] = format == WeightFormat.Int8 ? "int" : "float", ["symmetric"] = true, ["strategy"] = "token", ["dynamic"] = true },
        _ => null,
    };

    /// <summary>The modules of a unit; experts, of which there are many, by a pattern each.</summary>
    private static IEnumerable<string> Targets(QuantUnit unit)
    {
        const string experts = ".experts.";
        if (!unit.Role.Contains(experts, StringComparison.Ordinal))
        {
            return unit.Weights.Select(w => QuantUnits.Stem(w.Name));
        }

        return unit.Weights.Select(w => QuantUnits.Stem(w.Name))
            .Select(n => (Head: n[..(n.IndexOf(experts, StringComparison.Ordinal) + experts.Length)], Tail: n[n.LastIndexOf('.')..]))
            .Distinct()
            .Select(t => $"re:^{Regex.Escape(t.Head)}\\d+{Regex.Escape(t.Tail)}$");
    }

    private static JsonArray Strings(string[] values) => [.. values.Select(v => (JsonNode)JsonValue.Create(v)!)];
}
