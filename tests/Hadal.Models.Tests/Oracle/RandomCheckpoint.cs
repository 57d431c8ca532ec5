using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hadal.Models.Tests.Oracle;

/// <summary>Writes a folder that a configuration describes, with random weights: config.json and one file of weights, or shards with their index.</summary>
/// <remarks>Weights keep activations near 1, so that no layer drowns another and an error anywhere shows in the logits.</remarks>
internal sealed class RandomCheckpoint
{
    private readonly OracleConfig _config;
    private readonly Variant _variant;
    private readonly Random _random;
    private readonly List<(string Name, string DType, int[] Shape, byte[] Data)> _tensors = [];

    private RandomCheckpoint(Variant variant, int seed)
    {
        _variant = variant;
        _config = new OracleConfig(JsonDocument.Parse(variant.Config.ToJsonString()).RootElement);
        _random = new Random(seed);
    }

    public static void Write(Variant variant, int seed, string folder)
    {
        var checkpoint = new RandomCheckpoint(variant, seed);
        checkpoint.MakeTensors();
        File.WriteAllText(Path.Combine(folder, "config.json"), variant.Config.ToJsonString());
        checkpoint.WriteFiles(folder);
    }

    private void MakeTensors()
    {
        int hidden = _config.HiddenSize;
        int vocab = _config.Int("vocab_size");
        Matrix("model.embed_tokens.weight", vocab, hidden, deviation: 0.5);
        for (int i = 0; i < _config.Layers; i++)
        {
            Layer($"model.layers.{i}", i, hidden);
            if (_variant.FrequenciesThough)
            {
                Put($"model.layers.{i}.self_attn.rotary_emb.inv_freq", "F32", [_config.HeadDim / 2], Normal(_config.HeadDim / 2, 1));
            }
        }

        Norm("model.norm", hidden);
        if (!_config.TieWordEmbeddings || _variant.HeadThough)
        {
            Matrix("lm_head.weight", vocab, hidden);
        }

        if (_variant.MtpLayer)
        {
            MtpLayer($"model.layers.{_config.Layers}", hidden, vocab);
        }
    }

    private void Layer(string name, int index, int hidden)
    {
        Norm($"{name}.input_layernorm", hidden);
        Norm($"{name}.post_attention_layernorm", hidden);
        if (_config.IsDeepSeek)
        {
            LatentAttention($"{name}.self_attn", hidden);
        }
        else
        {
            GroupedQueryAttention($"{name}.self_attn", hidden);
        }

        FeedForward($"{name}.mlp", index, hidden);
    }

    // DeepSeek-V3's files carry it behind the trunk (arXiv:2412.19437, section 2.2), with copies of embedding and head.
    private void MtpLayer(string name, int hidden, int vocab)
    {
        Layer(name, _config.Layers, hidden);
        Norm($"{name}.enorm", hidden);
        Norm($"{name}.hnorm", hidden);
        Matrix($"{name}.eh_proj.weight", hidden, 2 * hidden);
        Matrix($"{name}.embed_tokens.weight", vocab, hidden);
        Norm($"{name}.shared_head.norm", hidden);
        Matrix($"{name}.shared_head.head.weight", vocab, hidden);
    }

    private void GroupedQueryAttention(string name, int hidden)
    {
        bool stated = _config.FlagOr("attention_bias", false);
        bool qwen2 = _config.ModelType == "qwen2";
        int q = _config.Heads * _config.HeadDim;
        int kv = _config.KvHeads * _config.HeadDim;
        Linear($"{name}.q_proj", q, hidden, stated || qwen2);
        Linear($"{name}.k_proj", kv, hidden, stated || qwen2);
        Linear($"{name}.v_proj", kv, hidden, stated || qwen2);
        Linear($"{name}.o_proj", hidden, q, stated && !qwen2);
        if (_config.ModelType == "qwen3")
        {
            Norm($"{name}.q_norm", _config.HeadDim);
            Norm($"{name}.k_norm", _config.HeadDim);
        }
    }

    private void LatentAttention(string name, int hidden)
    {
        int rope = _config.Int("qk_rope_head_dim");
        int q = _config.Heads * (_config.Int("qk_nope_head_dim") + rope);
        int latent = _config.Int("kv_lora_rank");
        if (_config.Has("q_lora_rank"))
        {
            int rank = _config.Int("q_lora_rank");
            Linear($"{name}.q_a_proj", rank, hidden);
            Norm($"{name}.q_a_layernorm", rank);
            Linear($"{name}.q_b_proj", q, rank);
        }
        else
        {
            Linear($"{name}.q_proj", q, hidden);
        }

        Linear($"{name}.kv_a_proj_with_mqa", latent + rope, hidden);
        Norm($"{name}.kv_a_layernorm", latent);
        Linear($"{name}.kv_b_proj", _config.Heads * (_config.Int("qk_nope_head_dim") + _config.Int("v_head_dim")), latent);
        Linear($"{name}.o_proj", hidden, _config.Heads * _config.Int("v_head_dim"));
    }

    private void FeedForward(string name, int layer, int hidden)
    {
        bool dense = !_config.IsDeepSeek || !_config.Has("n_routed_experts")
            || layer < _config.IntOr("first_k_dense_replace", _config.IsV3 ? 3 : 0) || layer % _config.IntOr("moe_layer_freq", 1) != 0;
        if (dense)
        {
            SwiGlu(name, hidden, _config.Int("intermediate_size"), _config.ModelType == "llama" && _config.FlagOr("mlp_bias", false));
            return;
        }

        int experts = _config.Int("n_routed_experts");
        int inner = _config.Int("moe_intermediate_size");

        // A wide spread of router logits: fewer ties between float and double, and experts of different weights.
        Matrix($"{name}.gate.weight", experts, hidden, deviation: 2 / Math.Sqrt(hidden));
        if (_config.IsV3)
        {
            // Wide enough to change choices; no lower than a score is high, so that a choice stays positive.
            Vector($"{name}.gate.e_score_correction_bias", [.. Enumerable.Range(0, experts).Select(_ => (_variant.BiasSpread * _random.NextDouble()) + 0.01)], _variant.Float32);
        }

        for (int e = 0; e < experts; e++)
        {
            SwiGlu($"{name}.experts.{e}", hidden, inner, bias: false);
        }

        if (_config.SharedExperts is > 0 and int shared)
        {
            SwiGlu($"{name}.shared_experts", hidden, inner * shared, bias: false);
        }
    }

    private void SwiGlu(string name, int hidden, int inner, bool bias)
    {
        Linear($"{name}.gate_proj", inner, hidden, bias);
        Linear($"{name}.up_proj", inner, hidden, bias);
        Linear($"{name}.down_proj", hidden, inner, bias);
    }

    private void Linear(string name, int rows, int columns, bool bias = false)
    {
        if (_config.Object("quantization_config") is { } quantization)
        {
            Fp8($"{name}.weight", rows, columns, quantization.GetProperty("weight_block_size")[0].GetInt32(), quantization.GetProperty("weight_block_size")[1].GetInt32());
        }
        else
        {
            Matrix($"{name}.weight", rows, columns);
        }

        if (bias)
        {
            Vector($"{name}.bias", Normal(rows, 0.3));
        }
    }

    private void Matrix(string name, int rows, int columns, double? deviation = null)
        => Put(name, _variant.DType, [rows, columns], Normal(rows * columns, deviation ?? (1 / Math.Sqrt(columns))));

    private void Norm(string name, int width) => Vector($"{name}.weight", [.. Normal(width, 0.2).Select(v => 1 + v)]);

    private void Vector(string name, double[] values, string? dtype = null) => Put(name, dtype ?? _variant.VectorDType ?? _variant.DType, [values.Length], values);

    // Any codes but NaN, and a scale for each block that no neighbour has.
    private void Fp8(string name, int rows, int columns, int blockRows, int blockColumns)
    {
        byte[] codes = [.. Normal(rows * columns, 1).Select(Nearest)];
        int[] shape = [(rows + blockRows - 1) / blockRows, (columns + blockColumns - 1) / blockColumns];
        _tensors.Add((name, "F8_E4M3", [rows, columns], codes));
        Put(name + "_scale_inv", _variant.Float32, shape, [.. Enumerable.Range(0, shape[0] * shape[1]).Select(_ => (0.5 + _random.NextDouble()) / Math.Sqrt(columns))]);
    }

    private static byte Nearest(double value)
    {
        // Codes 0 to 0x7E ascend with their values.
        int low = 0;
        int high = 0x7E;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            (low, high) = OracleTensors.E4M3((byte)middle) <= Math.Abs(value) ? (middle, high) : (low, middle - 1);
        }

        return (byte)(low | (value < 0 ? 0x80 : 0));
    }

    private void Put(string name, string dtype, int[] shape, double[] values)
    {
        byte[] data = new byte[values.Length * (dtype == "F32" ? 4 : 2)];
        for (int i = 0; i < values.Length; i++)
        {
            float v = (float)values[i];
            switch (dtype)
            {
                case "F32":
                    BinaryPrimitives.WriteSingleLittleEndian(data.AsSpan(4 * i), v);
                    break;
                case "F16":
                    BinaryPrimitives.WriteHalfLittleEndian(data.AsSpan(2 * i), (Half)v);
                    break;
                default:
                    // Cut, not rounded: what is stored is random anyway.
                    BinaryPrimitives.WriteUInt16LittleEndian(data.AsSpan(2 * i), (ushort)(BitConverter.SingleToUInt32Bits(v) >> 16));
                    break;
            }
        }

        _tensors.Add((name, dtype, shape, data));
    }

    private double[] Normal(int count, double deviation)
    {
        double[] values = new double[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = deviation * Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble());
        }

        return values;
    }

    private void WriteFiles(string folder)
    {
        if (_variant.Shards == 1)
        {
            WriteFile(Path.Combine(folder, "model.safetensors"), _tensors);
            return;
        }

        var map = new JsonObject();
        for (int s = 0; s < _variant.Shards; s++)
        {
            string file = $"model-{s + 1:D5}-of-{_variant.Shards:D5}.safetensors";
            // Every n-th: a layer's weights, and a weight and its scales, lie in different files.
            var part = _tensors.Where((_, i) => i % _variant.Shards == s).ToList();
            WriteFile(Path.Combine(folder, file), part);
            part.ForEach(t => map[t.Name] = file);
        }

        File.WriteAllText(Path.Combine(folder, "model.safetensors.index.json"), new JsonObject { ["metadata"] = new JsonObject(), ["weight_map"] = map }.ToJsonString());
    }

    // By hand, as the oracle reads by hand: neither shares a mistake with Hadal's writer and reader.
    private static void WriteFile(string path, List<(string Name, string DType, int[] Shape, byte[] Data)> tensors)
    {
        var header = new JsonObject { ["__metadata__"] = new JsonObject { ["format"] = "pt" } };
        int at = 0;
        foreach ((string name, string dtype, int[] shape, byte[] data) in tensors)
        {
            header[name] = new JsonObject
            {
                ["dtype"] = dtype,
                ["shape"] = new JsonArray([.. shape.Select(d => (JsonNode)d)]),
                ["data_offsets"] = new JsonArray(at, at += data.Length),
            };
        }

        byte[] json = JsonSerializer.SerializeToUtf8Bytes(header);
        using FileStream stream = File.Create(path);
        stream.Write(BitConverter.GetBytes((ulong)json.Length));
        stream.Write(json);
        tensors.ForEach(t => stream.Write(t.Data));
    }
}
