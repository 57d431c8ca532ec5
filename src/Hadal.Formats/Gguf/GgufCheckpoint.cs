using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Config;
using Hadal.Numerics;

namespace Hadal.Formats.Gguf;

/// <summary>
/// A GGUF model (one file, or all parts of a split one) under the tensor names and shapes of its Hugging Face checkpoint.
/// Thread-safe but for <see cref="Dispose"/>.
/// </summary>
/// <remarks>
/// <para>Nothing is copied but <c>kv_b_proj</c> of files that store it in two halves (<c>attn_k_b</c>, <c>attn_v_b</c>).
/// Merged experts are handed out as views of the merged tensor.</para>
/// <para>Queries and keys of arch llama keep the row order of the file, in which rotary pairs are neighbours:
/// <see cref="RopeConfig.Interleaved"/> of <see cref="GgufModelConfig"/> says so.</para>
/// </remarks>
public sealed unsafe class GgufCheckpoint : ITensorSource
{
    private const string KvB = "self_attn.kv_b_proj.weight";

    private readonly List<GgufFile> _files;
    private readonly Dictionary<string, GgufSlice> _slices = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (GgufSlice K, GgufSlice V)> _splitKvB = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (StoredTensor Tensor, NativeBuffer Memory)> _joined = new(StringComparer.Ordinal);
    private readonly Lock _joining = new();
    private readonly List<string> _names;

    private GgufCheckpoint(List<GgufFile> files)
    {
        _files = files;
        Config = GgufModelConfig.Read(files);
        MapTensors();
        _names = [.. _slices.Keys, .. _splitKvB.Keys];
    }

    public string Description => _files[0].Path;

    /// <summary>The file with the metadata, then the further parts of a split model.</summary>
    public IReadOnlyList<GgufFile> Files => _files;

    public ModelConfig Config { get; }

    public IReadOnlyCollection<string> Names => _names;

    /// <param name="path">A .gguf file; of a split model the first part.</param>
    /// <exception cref="HadalException">Not a GGUF file, a broken one, or of an architecture that is not supported.</exception>
    public static GgufCheckpoint Open(string path)
    {
        var files = new List<GgufFile>();
        try
        {
            files.Add(GgufFile.Open(path));
            OpenParts(files, path);
            return new GgufCheckpoint(files);
        }
        catch
        {
            foreach (GgufFile f in files)
            {
                f.Dispose();
            }

            throw;
        }
    }

    public void Prefetch(StoredTensor tensor)
    {
        if (_slices.ContainsKey(tensor.Name))
        {
            MappedFile.Prefetch(tensor);
        }
    }

    public void Release(StoredTensor tensor)
    {
        // A joined kv_b is memory of our own: let go, it would be lost.
        if (_slices.ContainsKey(tensor.Name))
        {
            MappedFile.Release(tensor);
        }
    }

    /// <exception cref="HadalException">The tensor is of a type that cannot be read.</exception>
    public bool TryGet(string name, [NotNullWhen(true)] out StoredTensor? tensor)
    {
        if (_slices.TryGetValue(name, out GgufSlice slice))
        {
            tensor = View(name, slice);
            return true;
        }

        if (_splitKvB.TryGetValue(name, out (GgufSlice K, GgufSlice V) halves))
        {
            lock (_joining)
            {
                if (!_joined.TryGetValue(name, out (StoredTensor Tensor, NativeBuffer Memory) joined))
                {
                    joined = JoinKvB(name, View(name, halves.K), View(name, halves.V));
                    _joined.Add(name, joined);
                }

                tensor = joined.Tensor;
                return true;
            }
        }

        tensor = null;
        return false;
    }

    public void Dispose()
    {
        foreach ((_, NativeBuffer memory) in _joined.Values)
        {
            memory.Dispose();
        }

        _joined.Clear();
        foreach (GgufFile f in _files)
        {
            f.Dispose();
        }
    }

    /// <summary>The further parts of a split model: NAME-00001-of-00003.gguf says split.no 0 and split.count 3.</summary>
    private static void OpenParts(List<GgufFile> files, string path)
    {
        long count = SplitNumber(files[0], "split.count", 1);
        if (count <= 1)
        {
            return;
        }

        string suffix = string.Create(CultureInfo.InvariantCulture, $"-00001-of-{count:D5}.gguf");
        if (SplitNumber(files[0], "split.no", 0) != 0 || !path.EndsWith(suffix, StringComparison.Ordinal))
        {
            throw new HadalException($"{path}: is part {SplitNumber(files[0], "split.no", 0) + 1} of a model split into {count} files; give the first part, whose name ends in {suffix}, with the others beside it");
        }

        for (long i = 1; i < count; i++)
        {
            string part = string.Create(CultureInfo.InvariantCulture, $"{path[..^suffix.Length]}-{i + 1:D5}-of-{count:D5}.gguf");
            if (!File.Exists(part))
            {
                throw new HadalException($"{path}: is the first of {count} parts, but {part} is missing; download it");
            }

            files.Add(GgufFile.Open(part));
            if (SplitNumber(files[^1], "split.no", -1) != i || SplitNumber(files[^1], "split.count", -1) != count)
            {
                throw new HadalException($"{part}: says of itself to be another part than {i + 1} of {count}; the files were mixed up");
            }
        }

        long expected = SplitNumber(files[0], "split.tensors.count", 0);
        long found = files.Sum(static f => (long)f.Tensors.Count);
        if (expected != 0 && expected != found)
        {
            throw new HadalException($"{path}: 'split.tensors.count' is {expected}, but the {count} parts hold {found} tensors");
        }
    }

    private static long SplitNumber(GgufFile file, string key, long otherwise)
    {
        if (!file.Metadata.TryGetValue(key, out GgufValue? value))
        {
            return otherwise;
        }

        long n = value.AsInteger();
        // Five digits in the file names; tensors there may be more of.
        long max = key == "split.tensors.count" ? int.MaxValue : 99999;
        return n >= 0 && n <= max ? n : throw new HadalException($"{file.Path}: metadata '{key}' is {n}, expected 0 to {max}");
    }

    private void MapTensors()
    {
        var kB = new Dictionary<int, GgufSlice>();
        var vB = new Dictionary<int, GgufSlice>();
        foreach (GgufFile file in _files)
        {
            foreach (GgufTensorInfo info in file.Tensors)
            {
                if (info.Name == "rope_freqs.weight")
                {
                    // Part of the configuration: RopeConfig.FrequencyFactors.
                    continue;
                }

                var whole = new GgufSlice(file, info);
                if (GgufTensorNames.ToHuggingFace(info.Name) is { } name)
                {
                    Add(name, whole);
                    continue;
                }

                if (!GgufTensorNames.TrySplitBlock(info.Name, out int layer, out string rest))
                {
                    Add(info.Name, whole);
                    continue;
                }

                switch (rest)
                {
                    case "attn_k_b.weight":
                        kB.Add(layer, whole);
                        break;
                    case "attn_v_b.weight":
                        vB.Add(layer, whole);
                        break;
                    case "ffn_gate_exps.weight":
                        AddExperts(layer, whole, "gate_proj");
                        break;
                    case "ffn_up_exps.weight":
                        AddExperts(layer, whole, "up_proj");
                        break;
                    case "ffn_down_exps.weight":
                        AddExperts(layer, whole, "down_proj");
                        break;
                    case "ffn_gate_up_exps.weight":
                        AddExperts(layer, whole, "gate_proj", 0, 2);
                        AddExperts(layer, whole, "up_proj", 1, 2);
                        break;
                    default:
                        Add(info.Name, whole);
                        break;
                }
            }
        }

        foreach ((int layer, GgufSlice k) in kB)
        {
            string name = $"model.layers.{layer}.{KvB}";
            if (_slices.ContainsKey(name))
            {
                // Some converters store both forms; the whole one needs no work.
                continue;
            }

            if (!vB.TryGetValue(layer, out GgufSlice v))
            {
                throw new HadalException($"{k.File.Path}: has blk.{layer}.attn_k_b.weight but no blk.{layer}.attn_v_b.weight");
            }

            _splitKvB.Add(name, (k, v));
        }
    }

    private void Add(string name, GgufSlice slice)
    {
        if (!_slices.TryAdd(name, slice))
        {
            GgufSlice other = _slices[name];
            throw new HadalException($"{slice.File.Path}: tensor {HostileText.Quote(slice.Info.Name)} stands for {name}, which {HostileText.Quote(other.Info.Name)} of {other.File.Path} is already");
        }
    }

    private void AddExperts(int layer, GgufSlice merged, string projection, int part = 0, int numParts = 1)
    {
        long[] shape = merged.Info.Shape;
        int expected = Config.Moe?.NumRoutedExperts ?? 0;
        if (shape.Length != 3 || shape[0] != expected || shape[1] % numParts != 0)
        {
            throw new HadalException($"{merged.File.Path}: tensor {HostileText.Quote(merged.Info.Name)} is [{string.Join(", ", shape)}], expected [{expected} experts, rows, columns]{(numParts > 1 ? " with an even number of rows" : "")}");
        }

        for (int e = 0; e < expected; e++)
        {
            Add($"model.layers.{layer}.mlp.experts.{e}.{projection}.weight", merged with { Expert = e, Part = part, NumParts = numParts });
        }
    }

    private static StoredTensor View(string name, GgufSlice slice)
    {
        GgufTensorInfo info = slice.Info;
        if (info.DType is not { } dtype)
        {
            throw new HadalException($"{slice.File.Path}: tensor {HostileText.Quote(info.Name)} is of type {info.TypeName}, which cannot be read; readable are {GgmlTypes.Supported}: take another quantisation of the model");
        }

        byte* data = slice.File.DataOf(info);
        string origin = $"{slice.File.Path} @ {info.Offset}";
        if (slice.Expert < 0)
        {
            return new StoredTensor(name, dtype, [.. info.Shape], data, info.ByteLength, origin);
        }

        long rows = info.Shape[1] / slice.NumParts;
        long bytes = rows * dtype.RowBytes(info.Shape[2]);
        long offset = (((long)slice.Expert * slice.NumParts) + slice.Part) * bytes;
        return new StoredTensor(name, dtype, [rows, info.Shape[2]], data + offset, bytes, $"{slice.File.Path} @ {info.Offset + offset}");
    }

    /// <summary>
    /// Puts <c>kv_b_proj</c> [H (nope + v), C] together again: head by head nope rows of keys, then v rows of values.
    /// The file has keys transposed within each head (attn_k_b [H, C, nope], for absorbing them into the query) and values as they were (attn_v_b [H, v, C]).
    /// </summary>
    private (StoredTensor Tensor, NativeBuffer Memory) JoinKvB(string name, StoredTensor k, StoredTensor v)
    {
        int h = Config.NumAttentionHeads;
        MlaConfig mla = Config.Mla ?? throw new HadalException($"{k.Origin}: attn_k_b in a model without latent attention");
        int nope = mla.QkNopeHeadDim;
        int vDim = mla.VHeadDim;
        int c = mla.KvLoraRank;
        CheckHalf(k, "attn_k_b", [h, c, nope]);
        CheckHalf(v, "attn_v_b", [h, vDim, c]);

        // Two-byte floats are kept as they are; anything else needs f32 to stay exact.
        bool verbatim = k.DType == v.DType && k.DType is DType.Bf16 or DType.F16;
        DType dtype = verbatim ? k.DType : DType.F32;
        int elementBytes = dtype.BlockBytes;
        nint rows = (nint)h * (nope + vDim);
        var memory = new NativeBuffer((nuint)rows * (nuint)c * (nuint)elementBytes);
        float[] keys = new float[nope];
        long keyRowBytes = k.DType.RowBytes(nope);
        long valueRowBytes = v.DType.RowBytes(c);
        for (int head = 0; head < h; head++)
        {
            byte* headRows = memory.Pointer + ((nint)head * (nope + vDim) * c * elementBytes);
            for (int j = 0; j < c; j++)
            {
                byte* source = k.Data + ((((long)head * c) + j) * keyRowBytes);
                if (verbatim)
                {
                    for (int i = 0; i < nope; i++)
                    {
                        ((ushort*)headRows)[((nint)i * c) + j] = System.Runtime.CompilerServices.Unsafe.ReadUnaligned<ushort>(source + (2 * i));
                    }

                    continue;
                }

                BlockDequantizer.ToSingle(k.DType, source, keys);
                for (int i = 0; i < nope; i++)
                {
                    ((float*)headRows)[((nint)i * c) + j] = keys[i];
                }
            }

            byte* valueRows = headRows + ((nint)nope * c * elementBytes);
            byte* values = v.Data + ((long)head * vDim * valueRowBytes);
            for (int i = 0; i < vDim; i++)
            {
                byte* to = valueRows + ((nint)i * c * elementBytes);
                byte* from = values + (i * valueRowBytes);
                if (verbatim)
                {
                    Buffer.MemoryCopy(from, to, valueRowBytes, valueRowBytes);
                }
                else
                {
                    BlockDequantizer.ToSingle(v.DType, from, new Span<float>(to, c));
                }
            }
        }

        var tensor = new StoredTensor(name, dtype, [rows, c], memory.Pointer, (long)memory.ByteLength, $"{k.Origin} joined with {v.Origin}");
        return (tensor, memory);
    }

    /// <summary>Heads may be folded into the rows: some converters write two dimensions.</summary>
    private static void CheckHalf(StoredTensor t, string what, long[] expected)
    {
        bool fits = t.Shape.SequenceEqual(expected) || t.Shape.SequenceEqual([expected[0] * expected[1], expected[2]]);
        if (!fits || t.DType.BlockElements > 1 && expected[2] % t.DType.BlockElements != 0 || t.DType is DType.I8 or DType.I16 or DType.I32 or DType.I64 or DType.F64)
        {
            throw new HadalException($"{t.Origin}: {what} is {t.DType} [{string.Join(", ", t.Shape)}], expected floats [{string.Join(", ", expected)}] (heads, rows, columns)");
        }
    }
}
