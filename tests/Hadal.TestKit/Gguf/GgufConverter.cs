using System.Text.Json;
using System.Text.RegularExpressions;
using Hadal.Numerics;

namespace Hadal.TestKit.Gguf;

/// <summary>
/// Turns a Hugging Face checkpoint into GGUF as llama.cpp's converter does. It reads config.json on its own, so that the reader under
/// test is not its own judge.
/// </summary>
public static unsafe partial class GgufConverter
{
    private const string ScaleSuffix = "weight_scale_inv";

    // quantization_config.weight_block_size of every published checkpoint.
    private const int Fp8BlockSize = 128;

    private static readonly Dictionary<string, string> _names = new()
    {
        ["input_layernorm"] = "attn_norm",
        ["post_attention_layernorm"] = "ffn_norm",
        ["self_attn.q_proj"] = "attn_q",
        ["self_attn.k_proj"] = "attn_k",
        ["self_attn.v_proj"] = "attn_v",
        ["self_attn.o_proj"] = "attn_output",
        ["self_attn.q_norm"] = "attn_q_norm",
        ["self_attn.k_norm"] = "attn_k_norm",
        ["self_attn.q_a_proj"] = "attn_q_a",
        ["self_attn.q_a_layernorm"] = "attn_q_a_norm",
        ["self_attn.q_b_proj"] = "attn_q_b",
        ["self_attn.kv_a_proj_with_mqa"] = "attn_kv_a_mqa",
        ["self_attn.kv_a_layernorm"] = "attn_kv_a_norm",
        ["self_attn.kv_b_proj"] = "attn_kv_b",
        ["mlp.gate_proj"] = "ffn_gate",
        ["mlp.up_proj"] = "ffn_up",
        ["mlp.down_proj"] = "ffn_down",
        ["mlp.gate"] = "ffn_gate_inp",
        ["mlp.shared_experts.gate_proj"] = "ffn_gate_shexp",
        ["mlp.shared_experts.up_proj"] = "ffn_up_shexp",
        ["mlp.shared_experts.down_proj"] = "ffn_down_shexp",
    };

    /// <param name="source">bf16 or f32 tensors, or e4m3 ones with scales of blocks, under Hugging Face names.</param>
    /// <param name="config">The root of config.json.</param>
    /// <param name="how">Choices between layouts.</param>
    public static GgufWriter Convert(ITensorSource source, JsonElement config, GgufConversion how)
    {
        string modelType = config.GetProperty("model_type").GetString()!;
        string arch = modelType.StartsWith("deepseek", StringComparison.Ordinal) ? "deepseek2" : modelType;
        var w = new GgufWriter();
        WriteMetadata(w, arch, config, how, source);

        int heads = config.GetProperty("num_attention_heads").GetInt32();
        int kvHeads = config.GetProperty("num_key_value_heads").GetInt32();
        int layers = config.GetProperty("num_hidden_layers").GetInt32();
        int numExperts = Int(config, "n_routed_experts") ?? 0;
        if (arch == "llama" && Rope(config) is { } rope && Text(rope, "rope_type") == "llama3")
        {
            int headDim = Int(config, "head_dim") ?? config.GetProperty("hidden_size").GetInt32() / heads;
            float[] factors = Llama3Factors(rope, headDim);
            w.AddTensor("rope_freqs.weight", 0, [(ulong)factors.Length], Bytes(factors));
        }

        foreach (string name in source.Names.Where(static n => !n.EndsWith(ScaleSuffix, StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            Match m = LayerName().Match(name);
            if (!m.Success)
            {
                string global = name switch
                {
                    "model.embed_tokens.weight" => "token_embd.weight",
                    "model.norm.weight" => "output_norm.weight",
                    "lm_head.weight" => "output.weight",
                    _ => throw new InvalidOperationException($"no GGUF name for {name}"),
                };
                Add(w, global, source, name, how);
                continue;
            }

            int layer = int.Parse(m.Groups[1].Value);
            string rest = m.Groups[2].Value;
            string suffix = m.Groups[3].Value;
            if (layer >= layers || rest.StartsWith("mlp.experts.", StringComparison.Ordinal))
            {
                // The converter drops prediction layers; experts come merged below.
                continue;
            }

            if (name.EndsWith("mlp.gate.e_score_correction_bias", StringComparison.Ordinal))
            {
                Add(w, $"blk.{layer}.exp_probs_b.bias", source, name, how);
            }
            else if (rest == "self_attn.kv_b_proj" && how.SplitKvB)
            {
                AddSplitKvB(w, layer, source, name, config, how);
            }
            else if (arch == "llama" && rest is "self_attn.q_proj" or "self_attn.k_proj")
            {
                (float[] values, long[] shape) = Read(source, name);
                AddTensor(w, $"blk.{layer}.{_names[rest]}{suffix}", Permute(values, shape, rest == "self_attn.q_proj" ? heads : kvHeads), shape, how);
            }
            else
            {
                Add(w, $"blk.{layer}.{_names[rest]}{suffix}", source, name, how);
            }
        }

        for (int layer = 0; layer < layers && numExperts > 0; layer++)
        {
            AddExperts(w, layer, numExperts, source, how);
        }

        return w;
    }

    /// <summary>The divisors that llama.cpp bakes Llama 3's frequency scaling into.</summary>
    public static float[] Llama3Factors(JsonElement rope, int headDim)
    {
        double theta = rope.GetProperty("rope_theta").GetDouble();
        double factor = rope.GetProperty("factor").GetDouble();
        double low = rope.GetProperty("low_freq_factor").GetDouble();
        double high = rope.GetProperty("high_freq_factor").GetDouble();
        double context = rope.GetProperty("original_max_position_embeddings").GetDouble();
        float[] factors = new float[headDim / 2];
        for (int i = 0; i < factors.Length; i++)
        {
            double wavelength = 2 * Math.PI * Math.Pow(theta, 2.0 * i / headDim);
            double smooth = ((context / wavelength) - low) / (high - low);
            factors[i] = wavelength < context / high ? 1 : wavelength > context / low ? (float)factor : (float)(1 / (((1 - smooth) / factor) + smooth));
        }

        return factors;
    }

    /// <summary>Rows (s, j) of each head, s of 2 halves, become rows (j, s): rotary pairs turn into neighbours.</summary>
    public static float[] Permute(float[] values, long[] shape, int heads)
    {
        int rows = (int)shape[0];
        int columns = values.Length / rows;
        int headDim = rows / heads;
        float[] result = new float[values.Length];
        for (int r = 0; r < rows; r++)
        {
            int half = r % headDim / (headDim / 2);
            int j = r % (headDim / 2);
            int to = (r / headDim * headDim) + (2 * j) + half;
            values.AsSpan(r * columns, columns).CopyTo(result.AsSpan(to * columns));
        }

        return result;
    }

    /// <summary>A tensor as floats.</summary>
    public static (float[] Values, long[] Shape) Read(ITensorSource source, string name)
    {
        if (!source.TryGet(name, out StoredTensor? t))
        {
            throw new InvalidOperationException($"{source.Description} has no {name}");
        }

        float[] values = new float[t.NumElements];
        if (t.DType == DType.F8E4M3)
        {
            // Read as DeepSeek's own converter reads it: value times the scale of its block.
            (float[] scales, long[] blocks) = Read(source, name + ScaleSuffix["weight".Length..]);
            for (int i = 0; i < values.Length; i++)
            {
                long row = i / t.Shape[1];
                long column = i % t.Shape[1];
                values[i] = Fp8.E4M3ToSingle(t.Data[i]) * scales[(row / Fp8BlockSize * blocks[1]) + (column / Fp8BlockSize)];
            }

            return (values, [.. t.Shape]);
        }

        for (int i = 0; i < values.Length; i++)
        {
            values[i] = t.DType switch
            {
                DType.Bf16 => Bf16.ToSingle(System.Runtime.CompilerServices.Unsafe.ReadUnaligned<ushort>(t.Data + (2 * (long)i))),
                DType.F32 => System.Runtime.CompilerServices.Unsafe.ReadUnaligned<float>(t.Data + (4 * (long)i)),
                _ => throw new InvalidOperationException($"{name} is {t.DType}"),
            };
        }

        return (values, [.. t.Shape]);
    }

    private static void WriteMetadata(GgufWriter w, string arch, JsonElement config, GgufConversion how, ITensorSource source)
    {
        uint U(string key) => (uint)config.GetProperty(key).GetInt32();
        bool deepseek = arch == "deepseek2";
        w.Add("general.architecture", arch);
        w.Add("general.name", "fixture");
        w.Add($"{arch}.block_count", U("num_hidden_layers"));
        w.Add($"{arch}.context_length", U("max_position_embeddings"));
        w.Add($"{arch}.embedding_length", U("hidden_size"));
        w.Add($"{arch}.feed_forward_length", U("intermediate_size"));
        w.Add($"{arch}.attention.head_count", U("num_attention_heads"));
        w.Add($"{arch}.attention.head_count_kv", deepseek && how.SplitKvB ? 1 : U("num_key_value_heads"));
        w.Add($"{arch}.attention.layer_norm_rms_epsilon", (float)config.GetProperty("rms_norm_eps").GetDouble());
        w.Add($"{arch}.vocab_size", U("vocab_size"));
        if (Rope(config) is { } rope)
        {
            w.Add($"{arch}.rope.freq_base", (float)rope.GetProperty("rope_theta").GetDouble());
            string? type = Text(rope, "rope_type");
            if (type is "linear" or "yarn")
            {
                w.Add($"{arch}.rope.scaling.type", type);
                w.Add($"{arch}.rope.scaling.factor", (float)rope.GetProperty("factor").GetDouble());
            }

            if (type == "yarn")
            {
                w.Add($"{arch}.rope.scaling.original_context_length", (uint)rope.GetProperty("original_max_position_embeddings").GetInt32());
                foreach (string beta in (string[])["beta_fast", "beta_slow"])
                {
                    if (rope.TryGetProperty(beta, out JsonElement b))
                    {
                        w.Add($"{arch}.rope.scaling.yarn_{beta}", (float)b.GetDouble());
                    }
                }

                if (deepseek && rope.TryGetProperty("mscale_all_dim", out JsonElement allDim))
                {
                    w.Add($"{arch}.rope.scaling.yarn_log_multiplier", (float)(0.1 * allDim.GetDouble()));
                }
            }
        }
        else if (config.TryGetProperty("rope_theta", out JsonElement theta))
        {
            w.Add($"{arch}.rope.freq_base", (float)theta.GetDouble());
        }

        foreach (string id in (string[])["bos_token_id", "eos_token_id"])
        {
            if (Int(config, id) is { } token)
            {
                w.Add($"tokenizer.ggml.{id}", (uint)token);
            }
        }

        if (!deepseek)
        {
            if (Int(config, "head_dim") is { } headDim)
            {
                w.Add($"{arch}.attention.key_length", (uint)headDim);
                w.Add($"{arch}.attention.value_length", (uint)headDim);
            }

            return;
        }

        uint c = U("kv_lora_rank");
        uint r = U("qk_rope_head_dim");
        w.Add($"{arch}.leading_dense_block_count", U("first_k_dense_replace"));
        if (Int(config, "q_lora_rank") is { } q)
        {
            w.Add($"{arch}.attention.q_lora_rank", (uint)q);
        }

        w.Add($"{arch}.attention.kv_lora_rank", c);
        w.Add($"{arch}.rope.dimension_count", r);
        if (how.SplitKvB)
        {
            w.Add($"{arch}.attention.key_length", c + r);
            w.Add($"{arch}.attention.value_length", c);
            w.Add($"{arch}.attention.key_length_mla", U("qk_nope_head_dim") + r);
            w.Add($"{arch}.attention.value_length_mla", U("v_head_dim"));
        }
        else
        {
            w.Add($"{arch}.attention.key_length", U("qk_nope_head_dim") + r);
            w.Add($"{arch}.attention.value_length", U("v_head_dim"));
        }

        w.Add($"{arch}.expert_feed_forward_length", U("moe_intermediate_size"));
        w.Add($"{arch}.expert_count", U("n_routed_experts"));
        w.Add($"{arch}.expert_used_count", U("num_experts_per_tok"));
        w.Add($"{arch}.expert_shared_count", U("n_shared_experts"));
        w.Add($"{arch}.expert_weights_scale", (float)config.GetProperty("routed_scaling_factor").GetDouble());
        if (config.GetProperty("norm_topk_prob").GetBoolean())
        {
            w.Add($"{arch}.expert_weights_norm", true);
        }

        if (Int(config, "n_group") is { } groups)
        {
            w.Add($"{arch}.expert_group_count", (uint)groups);
            w.Add($"{arch}.expert_group_used_count", U("topk_group"));
        }

        if (how.GatingFunc)
        {
            w.Add($"{arch}.expert_gating_func", source.Names.Any(static n => n.EndsWith("e_score_correction_bias", StringComparison.Ordinal)) ? 2u : 1u);
        }
    }

    private static void AddSplitKvB(GgufWriter w, int layer, ITensorSource source, string name, JsonElement config, GgufConversion how)
    {
        (float[] kvB, _) = Read(source, name);
        int h = config.GetProperty("num_attention_heads").GetInt32();
        int nope = config.GetProperty("qk_nope_head_dim").GetInt32();
        int v = config.GetProperty("v_head_dim").GetInt32();
        int c = config.GetProperty("kv_lora_rank").GetInt32();
        float[] k = new float[h * c * nope];
        float[] values = new float[h * v * c];
        for (int head = 0; head < h; head++)
        {
            for (int j = 0; j < c; j++)
            {
                for (int i = 0; i < nope; i++)
                {
                    k[(((head * c) + j) * nope) + i] = kvB[(((head * (nope + v)) + i) * c) + j];
                }

                for (int i = 0; i < v; i++)
                {
                    values[(((head * v) + i) * c) + j] = kvB[(((head * (nope + v)) + nope + i) * c) + j];
                }
            }
        }

        AddTensor(w, $"blk.{layer}.attn_k_b.weight", k, [h, c, nope], how);
        AddTensor(w, $"blk.{layer}.attn_v_b.weight", values, [h, v, c], how);
    }

    private static void AddExperts(GgufWriter w, int layer, int numExperts, ITensorSource source, GgufConversion how)
    {
        if (!source.Names.Contains($"model.layers.{layer}.mlp.experts.0.gate_proj.weight"))
        {
            return;
        }

        (float[] Values, long[] Shape) Merge(params string[] projections)
        {
            var all = new List<float>();
            long rows = 0;
            long columns = 0;
            for (int e = 0; e < numExperts; e++)
            {
                rows = 0;
                foreach (string p in projections)
                {
                    (float[] values, long[] shape) = Read(source, $"model.layers.{layer}.mlp.experts.{e}.{p}.weight");
                    all.AddRange(values);
                    rows += shape[0];
                    columns = shape[1];
                }
            }

            return ([.. all], [numExperts, rows, columns]);
        }

        void AddMerged(string name, params string[] projections)
        {
            (float[] values, long[] shape) = Merge(projections);
            AddTensor(w, $"blk.{layer}.{name}.weight", values, shape, how);
        }

        AddMerged("ffn_down_exps", "down_proj");
        if (how.MergeGateUp)
        {
            AddMerged("ffn_gate_up_exps", "gate_proj", "up_proj");
        }
        else
        {
            AddMerged("ffn_gate_exps", "gate_proj");
            AddMerged("ffn_up_exps", "up_proj");
        }
    }

    private static void Add(GgufWriter w, string name, ITensorSource source, string from, GgufConversion how)
    {
        (float[] values, long[] shape) = Read(source, from);
        AddTensor(w, name, values, shape, how);
    }

    private static void AddTensor(GgufWriter w, string name, float[] values, long[] shape, GgufConversion how)
    {
        // Vectors and the router stay f32, as in llama.cpp.
        DType type = shape.Length == 1 || name.EndsWith("ffn_gate_inp.weight", StringComparison.Ordinal) ? DType.F32 : Fitting(how.WeightType, shape[^1]);
        w.AddTensor(name, GgmlType(type), [.. shape.Reverse().Select(static d => (ulong)d)], ReferenceQuantizer.Quantize(type, values));
    }

    // llama.cpp, src/llama-quant.cpp: a type of 256 gives way to one of 32 of about its size, and that to f16.
    private static DType Fitting(DType type, long columns)
    {
        DType other = columns % type.BlockElements == 0 ? type : type switch
        {
            DType.Q4_K => DType.Q5_0,
            DType.Q5_K => DType.Q5_1,
            DType.Q6_K => DType.Q8_0,
            _ => DType.F16,
        };
        return columns % other.BlockElements == 0 ? other : DType.F16;
    }

    private static uint GgmlType(DType type) => type switch
    {
        DType.F32 => 0,
        DType.F16 => 1,
        DType.Q4_0 => 2,
        DType.Q4_1 => 3,
        DType.Q5_0 => 6,
        DType.Q5_1 => 7,
        DType.Q8_0 => 8,
        DType.Q4_K => 12,
        DType.Q5_K => 13,
        DType.Q6_K => 14,
        DType.Bf16 => 30,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "no GGUF type"),
    };

    private static byte[] Bytes(float[] values) => System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()).ToArray();

    private static JsonElement? Rope(JsonElement config) => config.TryGetProperty("rope_parameters", out JsonElement r) ? r : null;

    private static int? Int(JsonElement e, string key) => e.TryGetProperty(key, out JsonElement v) && v.ValueKind == JsonValueKind.Number ? v.GetInt32() : null;

    private static string? Text(JsonElement e, string key) => e.TryGetProperty(key, out JsonElement v) ? v.GetString() : null;

    [GeneratedRegex(@"^model\.layers\.(\d+)\.(.+?)(\.weight|\.bias|\.e_score_correction_bias)$")]
    private static partial Regex LayerName();
}
