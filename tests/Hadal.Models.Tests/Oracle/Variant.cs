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

    /// <summary>What weights are stored as.</summary>
    public string DType { get; init; } = "BF16";

    public int Shards { get; init; } = 1;

    /// <summary>There is an lm_head.weight though embeddings are tied.</summary>
    public bool HeadThough { get; init; }

    /// <summary>e_score_correction_bias is from 0 to this.</summary>
    public double BiasSpread { get; init; } = 0.3;

    public override string ToString() => Name;
}
