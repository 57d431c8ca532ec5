using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Config;
using Hadal.Formats.Gguf;
using Hadal.Graph.Cpu;
using Hadal.Graph.Ir;
using Hadal.Models;
using Hadal.Models.Blocks;
using Hadal.Numerics;
using Hadal.Optimize.Quantization;

namespace Hadal.Optimize.Export;

/// <summary>A checkpoint as one GGUF file, laid out as llama.cpp's converter lays it out: for other programs, and for the 4-bit kernels here.</summary>
/// <remarks>
/// Norms, biases and routers are float32; embedding and head get at least 8 bits; rows that are not whole blocks fall back to F16. Prediction layers are left out, as the
/// converter does. Source: github.com/ggml-org/llama.cpp, conversion/base.py, deepseek.py, llama.py, qwen.py; gguf-py/gguf/constants.py; ggml/src/ggml-quants.c.
/// </remarks>
public static class GgufExport
{
    private const int BlockElements = 32;

    public static string Types => "f32, f16, bf16, q8_0, q4_0";

    /// <exception cref="HadalException">It is none.</exception>
    public static DType ParseType(string text) => text switch
    {
        "f32" => DType.F32,
        "f16" => DType.F16,
        "bf16" => DType.Bf16,
        "q8_0" => DType.Q8_0,
        "q4_0" => DType.Q4_0,
        _ => throw new HadalException($"--format {text}: a .gguf file is written as one of {Types}."),
    };

    /// <returns>Bytes of the file.</returns>
    public static long Write(Checkpoint source, string path, DType type, IProgress<QuantizeProgress>? progress, CancellationToken cancellationToken)
    {
        if (source.IsGguf)
        {
            throw new HadalException($"{source.Path}: is a GGUF file already; give the folder that the model was published as.");
        }

        ModelConfig config = source.Config;
        List<Item> items = Plan(source, type);
        IReadOnlyList<(string, object)> metadata = [.. GgufExportMetadata.Model(config, Path.GetFileName(Path.TrimEndingDirectorySeparator(source.Path)), type), .. GgufExportMetadata.Tokenizer(source)];
        using var stream = new GgufStream(Path.GetFullPath(path), metadata, [.. items.Select(i => i.Plan)]);
        long total = items.Sum(i => i.Plan.ByteLength);
        long done = 0;
        foreach (Item item in items)
        {
            stream.Append(item.Plan.Name, to =>
            {
                foreach (Action<Action<ReadOnlySpan<float>>> rows in item.Parts)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    rows(row => Encode(to, row, item.Plan.DType));
                }
            });
            done += item.Plan.ByteLength;
            progress?.Report(new QuantizeProgress("writing GGUF", done, total, 0, "bytes"));
        }

        stream.Complete();
        return new FileInfo(path).Length;
    }

    private static List<Item> Plan(Checkpoint source, DType type)
    {
        ModelConfig config = source.Config;
        ModelGraph graph = ModelCatalog.Find(config).Build(config);
        var items = new List<Item>();
        var experts = new Dictionary<string, List<WeightSpec>>(StringComparer.Ordinal);
        if (config.Rope.Type == RopeType.Llama3)
        {
            // llama.cpp has no words for this scaling: its divisors come as a tensor.
            float[] plain = RopeFrequencies.Compute(config.Rope with { Type = RopeType.Default }, config.HeadDim).InverseFrequencies;
            float[] scaled = RopeFrequencies.Compute(config.Rope, config.HeadDim).InverseFrequencies;
            items.Add(new Item(new GgufTensorPlan("rope_freqs.weight", DType.F32, [plain.Length]), [emit => emit(plain.Zip(scaled, (p, s) => p / s).ToArray())]));
        }

        foreach (WeightSpec spec in graph.Weights)
        {
            if (spec.Name.Contains(".experts.", StringComparison.Ordinal))
            {
                int at = spec.Name.IndexOf(".mlp.experts.", StringComparison.Ordinal);
                string layer = spec.Name["model.layers.".Length..at];
                string projection = spec.Name.Split('.')[^2];
                string name = $"blk.{layer}.ffn_{projection[..^"_proj".Length]}_exps.weight";
                if (!experts.TryGetValue(name, out List<WeightSpec>? list))
                {
                    experts.Add(name, list = []);
                }

                list.Add(spec);
                continue;
            }

            if (spec.Name.EndsWith("self_attn.kv_b_proj.weight", StringComparison.Ordinal))
            {
                items.AddRange(SplitLatent(source, spec, type));
                continue;
            }

            string gguf = GgufTensorNames.FromHuggingFace(spec.Name) ?? throw new HadalException($"{spec.Name}: llama.cpp has no name for this tensor.");
            DType own = spec.IsVector || spec.KeepPrecision ? DType.F32
                : gguf is "token_embd.weight" or "output.weight" && type == DType.Q4_0 ? Fitting(DType.Q8_0, spec.Columns)
                : Fitting(type, spec.Columns);
            long[] shape = spec.IsVector ? [spec.Rows] : [spec.Rows, spec.Columns];
            // llama's rotary pairs are neighbours in llama.cpp: rows (s, j) of each head become (j, s).
            int heads = config.ModelType != "llama" ? 0
                : spec.Name.Contains("self_attn.q_proj", StringComparison.Ordinal) ? config.NumAttentionHeads
                : spec.Name.Contains("self_attn.k_proj", StringComparison.Ordinal) ? config.NumKeyValueHeads : 0;
            items.Add(new Item(new GgufTensorPlan(gguf, own, shape), [emit => Rows(source, spec, heads, emit)]));
        }

        foreach ((string name, List<WeightSpec> list) in experts)
        {
            var plan = new GgufTensorPlan(name, Fitting(type, list[0].Columns), [list.Count, list[0].Rows, list[0].Columns]);
            items.Add(new Item(plan, [.. list.Select(s => (Action<Action<ReadOnlySpan<float>>>)(emit => Rows(source, s, 0, emit)))]));
        }

        return items;
    }

    /// <summary>kv_b_proj as llama.cpp absorbs it: keys transposed within each head, values as they are.</summary>
    private static IEnumerable<Item> SplitLatent(Checkpoint source, WeightSpec spec, DType type)
    {
        MlaConfig mla = source.Config.Mla!;
        int heads = source.Config.NumAttentionHeads;
        int headRows = mla.QkNopeHeadDim + mla.VHeadDim;
        string layer = spec.Name.Split('.')[2];
        yield return new Item(new GgufTensorPlan($"blk.{layer}.attn_k_b.weight", Fitting(type, mla.QkNopeHeadDim), [heads, mla.KvLoraRank, mla.QkNopeHeadDim]), [emit =>
        {
            using var matrix = new StoredMatrix(source.Tensors, source.Config.Fp8BlockSize, spec);
            float[] keys = new float[mla.QkNopeHeadDim * mla.KvLoraRank];
            float[] row = new float[mla.QkNopeHeadDim];
            for (int h = 0; h < heads; h++)
            {
                for (int i = 0; i < mla.QkNopeHeadDim; i++)
                {
                    matrix.Decode((h * headRows) + i, keys.AsSpan(i * mla.KvLoraRank, mla.KvLoraRank));
                }

                for (int c = 0; c < mla.KvLoraRank; c++)
                {
                    for (int i = 0; i < row.Length; i++)
                    {
                        row[i] = keys[(i * mla.KvLoraRank) + c];
                    }

                    emit(row);
                }
            }
        }]);
        yield return new Item(new GgufTensorPlan($"blk.{layer}.attn_v_b.weight", Fitting(type, mla.KvLoraRank), [heads, mla.VHeadDim, mla.KvLoraRank]), [emit =>
        {
            using var matrix = new StoredMatrix(source.Tensors, source.Config.Fp8BlockSize, spec);
            float[] row = new float[mla.KvLoraRank];
            for (int h = 0; h < heads; h++)
            {
                for (int i = 0; i < mla.VHeadDim; i++)
                {
                    matrix.Decode((h * headRows) + mla.QkNopeHeadDim + i, row);
                    emit(row);
                }
            }
        }]);
    }

    private static void Rows(Checkpoint source, WeightSpec spec, int permutedHeads, Action<ReadOnlySpan<float>> emit)
    {
        if (permutedHeads > 0 && spec.IsVector)
        {
            PermutedVector(source, spec, permutedHeads, emit);
            return;
        }

        using (var matrix = new StoredMatrix(source.Tensors, source.Config.Fp8BlockSize, spec))
        {
            float[] row = new float[matrix.Columns];
            int headDim = permutedHeads > 0 ? matrix.Rows / permutedHeads : 0;
            for (int r = 0; r < matrix.Rows; r++)
            {
                int from = headDim == 0 ? r : (r / headDim * headDim) + (r % 2 * (headDim / 2)) + (r % headDim / 2);
                matrix.Decode(from, row);
                emit(row);
            }
        }

        if (source.Tensors.TryGet(spec.Name, out StoredTensor? tensor))
        {
            source.Tensors.Release(tensor);
        }
    }

    private static void PermutedVector(Checkpoint source, WeightSpec spec, int heads, Action<ReadOnlySpan<float>> emit)
    {
        using var matrix = new StoredMatrix(source.Tensors, source.Config.Fp8BlockSize, spec);
        float[] values = new float[matrix.Columns];
        matrix.Decode(0, values);
        int headDim = values.Length / heads;
        emit([.. Enumerable.Range(0, values.Length).Select(r => values[(r / headDim * headDim) + (r % 2 * (headDim / 2)) + (r % headDim / 2)])]);
    }

    private static DType Fitting(DType type, int columns) => columns % type.BlockElements == 0 ? type : DType.F16;

    private static void Encode(Stream to, ReadOnlySpan<float> row, DType type)
    {
        byte[] bytes = new byte[type.RowBytes(row.Length)];
        switch (type)
        {
            case DType.F32:
                to.Write(MemoryMarshal.AsBytes(row));
                return;
            case DType.Bf16:
                for (int i = 0; i < row.Length; i++)
                {
                    BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(2 * i), Bf16.FromSingle(row[i]));
                }

                break;
            case DType.F16:
                for (int i = 0; i < row.Length; i++)
                {
                    BinaryPrimitives.WriteHalfLittleEndian(bytes.AsSpan(2 * i), (Half)row[i]);
                }

                break;
            default:
                for (int block = 0; block < row.Length / BlockElements; block++)
                {
                    EncodeBlock(row.Slice(block * BlockElements, BlockElements), bytes.AsSpan(block * type.BlockBytes, type.BlockBytes), type);
                }

                break;
        }

        to.Write(bytes);
    }

    private static void EncodeBlock(ReadOnlySpan<float> w, Span<byte> bytes, DType type)
    {
        if (type == DType.Q8_0)
        {
            float absMax = VectorSpan.AbsMax(w);
            float d = absMax / 127;
            BinaryPrimitives.WriteHalfLittleEndian(bytes, (Half)d);
            for (int i = 0; i < BlockElements; i++)
            {
                bytes[2 + i] = (byte)(sbyte)(d == 0 ? 0 : Math.Clamp(MathF.Round(w[i] / d), -127, 127));
            }

            return;
        }

        float scale = GroupScale.Best(w, [], 4);
        BinaryPrimitives.WriteHalfLittleEndian(bytes, (Half)scale);
        for (int i = 0; i < 16; i++)
        {
            int low = (int)Math.Clamp(MathF.Round(w[i] / scale), -8, 7) + 8;
            int high = (int)Math.Clamp(MathF.Round(w[i + 16] / scale), -8, 7) + 8;
            bytes[2 + i] = (byte)(low | (high << 4));
        }
    }

    private sealed record Item(GgufTensorPlan Plan, IReadOnlyList<Action<Action<ReadOnlySpan<float>>>> Parts);
}
