using System.Text.Json.Nodes;

namespace Hadal.Models.Tests.Oracle;

/// <summary>A configuration to try: a family's ordinary one with some keys changed.</summary>
internal sealed class Variant
{
    /// <param name="name">What is special.</param>
    /// <param name="ordinary">The family's config.json.</param>
    /// <param name="changes">Keys that replace or add; the value "(absent)" takes a key out.</param>
    public Variant(string name, string ordinary, string changes = "{}")
    {
        Name = name;
        Config = JsonNode.Parse(ordinary)!.AsObject();
        foreach ((string key, JsonNode? value) in JsonNode.Parse(changes)!.AsObject())
        {
            if (value?.ToJsonString() == "\"(absent)\"")
            {
                Config.Remove(key);
            }
            else
            {
                Config[key] = value?.DeepClone();
            }
        }
    }

    public string Name { get; }

    public JsonObject Config { get; }

    /// <summary>What matrices are stored as.</summary>
    public string DType { get; init; } = "BF16";

    /// <summary>What norms and biases are stored as; null for the same.</summary>
    public string? VectorDType { get; init; }

    /// <summary>What e_score_correction_bias and the scales of e4m3 are stored as.</summary>
    public string Float32 { get; init; } = "F32";

    public int Shards { get; init; } = 1;

    /// <summary>There is an lm_head.weight though embeddings are tied.</summary>
    public bool HeadThough { get; init; }

    /// <summary>The multi-token-prediction layer that is announced is there.</summary>
    public bool MtpLayer { get; init; }

    /// <summary>Old files carry rope's frequencies in each layer; nobody reads them.</summary>
    public bool FrequenciesThough { get; init; }

    /// <summary>Lengths of the sequences that are run side by side.</summary>
    public int[] Lengths { get; init; } = [41, 1, 17, 30];

    /// <summary>e_score_correction_bias is from 0 to this.</summary>
    public double BiasSpread { get; init; } = 0.3;

    public override string ToString() => Name;
}
