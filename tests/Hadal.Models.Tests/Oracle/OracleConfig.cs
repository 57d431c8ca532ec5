using System.Text.Json;

namespace Hadal.Models.Tests.Oracle;

/// <summary>What config.json says, key by key, with the defaults of transformers' configuration classes.</summary>
internal sealed class OracleConfig(JsonElement root)
{
    public string ModelType { get; } = root.GetProperty("model_type").GetString()!;

    public bool IsV3 => ModelType == "deepseek_v3";

    public bool IsDeepSeek => ModelType is "deepseek_v2" or "deepseek_v3";

    public int HiddenSize => Int("hidden_size");

    public int Layers => Int("num_hidden_layers");

    public int Heads => Int("num_attention_heads");

    public int KvHeads => IntOr("num_key_value_heads", Heads);

    public int HeadDim => IntOr("head_dim", ModelType == "qwen3" ? 128 : HiddenSize / Heads);

    /// <summary>null is none; a configuration that does not mention them has the class's own number.</summary>
    public int SharedExperts => root.TryGetProperty("n_shared_experts", out _) ? IntOr("n_shared_experts", 0) : IsV3 ? 1 : 2;

    public double RmsNormEps => NumberOr("rms_norm_eps", 1e-6);

    public bool TieWordEmbeddings => FlagOr("tie_word_embeddings", false);

    public bool Has(string key) => root.TryGetProperty(key, out JsonElement e) && e.ValueKind != JsonValueKind.Null;

    public int Int(string key) => root.GetProperty(key).GetInt32();

    public int IntOr(string key, int absent) => Has(key) ? Int(key) : absent;

    public double NumberOr(string key, double absent) => Has(key) ? root.GetProperty(key).GetDouble() : absent;

    public bool FlagOr(string key, bool absent) => Has(key) ? root.GetProperty(key).GetBoolean() : absent;

    public string TextOr(string key, string absent) => Has(key) ? root.GetProperty(key).GetString()! : absent;

    public JsonElement? Object(string key) => Has(key) ? root.GetProperty(key) : null;

    public static OracleConfig Read(string folder) => new(JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "config.json"))).RootElement);
}
