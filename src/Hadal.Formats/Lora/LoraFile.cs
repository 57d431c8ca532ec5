using System.Diagnostics.CodeAnalysis;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Safetensors;
using Hadal.Numerics;

namespace Hadal.Formats.Lora;

/// <summary>A LoRA adapter (arXiv:2106.09685) in PEFT's layout: adapter_config.json and adapter_model.safetensors in a folder, checked against each other.</summary>
/// <remarks>Tensors stay mapped until it is disposed. Whether the pairs fit a base model is for whoever loads them into one.</remarks>
public sealed class LoraFile : IDisposable
{
    private const string Root = "base_model.model.";

    private readonly SafetensorsFile _file;

    private LoraFile(string name, string path, SafetensorsFile file, IReadOnlyList<LoraModule> modules)
    {
        Name = name;
        Path = path;
        _file = file;
        Modules = modules;
    }

    /// <summary>By which requests ask for it.</summary>
    public string Name { get; }

    public string Path { get; }

    public IReadOnlyList<LoraModule> Modules { get; }

    /// <exception cref="HadalException">A file is absent or damaged, or the adapter is of a kind that is not supported; the message names the file and the key.</exception>
    public static LoraFile Open(string name, string path)
    {
        if (string.IsNullOrWhiteSpace(name))
        {
            throw new HadalException($"The adapter in {path} has no name; requests could not ask for it.");
        }

        if (!Directory.Exists(path))
        {
            throw new HadalException($"{path}: is no folder; an adapter is a folder with adapter_config.json and adapter_model.safetensors.");
        }

        LoraConfig config = LoraConfigReader.Read(System.IO.Path.Combine(path, "adapter_config.json"));
        string weights = System.IO.Path.Combine(path, "adapter_model.safetensors");
        if (!File.Exists(weights) && File.Exists(System.IO.Path.Combine(path, "adapter_model.bin")))
        {
            throw new HadalException($"{path}: has adapter_model.bin, a pickle, which could run code when it is read. Save the adapter with safe_serialization=True, as adapter_model.safetensors.");
        }

        SafetensorsFile file = SafetensorsFile.Open(weights);
        try
        {
            return new LoraFile(name, path, file, ReadModules(file, config));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public void Dispose() => _file.Dispose();

    private static LoraModule[] ReadModules(SafetensorsFile file, LoraConfig config)
    {
        var a = new SortedDictionary<string, StoredTensor>(StringComparer.Ordinal);
        var b = new Dictionary<string, StoredTensor>(StringComparer.Ordinal);
        foreach (SafetensorsTensor entry in file.Tensors)
        {
            if (!TryParse(entry.Name, out string? module, out bool isA))
            {
                throw new HadalException($"{file.Path}: tensor {HostileText.Quote(entry.Name)} is neither lora_A.weight nor lora_B.weight of a linear module; adapters that hold anything else (embeddings, magnitudes, biases, whole modules) are not supported.");
            }

            _ = file.TryGet(entry.Name, out StoredTensor? tensor);
            IDictionary<string, StoredTensor> half = isA ? a : b;
            if (!half.TryAdd(module, tensor!))
            {
                throw new HadalException($"{file.Path}: {HostileText.Quote(module)} has two lora_{(isA ? 'A' : 'B')}.");
            }
        }

        if (b.Keys.FirstOrDefault(m => !a.ContainsKey(m)) is { } alone)
        {
            throw new HadalException($"{file.Path}: {HostileText.Quote(alone)} has lora_B and no lora_A.");
        }

        return a.Count == 0
            ? throw new HadalException($"{file.Path}: has no tensors; an adapter has a lora_A and a lora_B for each module.")
            : [.. a.Select(p => Pair(file, config, p.Key, p.Value, b))];
    }

    private static LoraModule Pair(SafetensorsFile file, LoraConfig config, string module, StoredTensor a, Dictionary<string, StoredTensor> halves)
    {
        if (!halves.TryGetValue(module, out StoredTensor? b))
        {
            throw new HadalException($"{file.Path}: {HostileText.Quote(module)} has lora_A and no lora_B.");
        }

        foreach (StoredTensor tensor in new[] { a, b })
        {
            if (tensor.DType is not (DType.F32 or DType.F16 or DType.Bf16))
            {
                throw new HadalException($"{tensor.Origin}: tensor {HostileText.Quote(tensor.Name)} is {tensor.DType}; an adapter's may be F32, F16 or BF16.");
            }

            if (tensor.Shape.Count != 2 || tensor.NumElements == 0)
            {
                throw new HadalException($"{tensor.Origin}: tensor {HostileText.Quote(tensor.Name)} has shape [{string.Join(", ", tensor.Shape)}]; a matrix is expected.");
            }
        }

        if (!config.IsTarget(module))
        {
            throw new HadalException($"{file.Path}: holds {HostileText.Quote(module)}, which adapter_config.json does not name among its target_modules: the two files do not belong together.");
        }

        int rank = config.RankOf(module);
        return a.Shape[0] == rank && b.Shape[1] == rank
            ? new LoraModule(module, a, b, config.ScaleOf(module))
            : throw new HadalException($"{a.Origin}: {HostileText.Quote(module)} has lora_A [{string.Join(", ", a.Shape)}] and lora_B [{string.Join(", ", b.Shape)}]; adapter_config.json gives it rank {rank}, so that [{rank}, inputs] and [outputs, {rank}] are expected.");
    }

    // base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight; libraries that keep adapters by name write lora_A.NAME.weight.
    private static bool TryParse(string name, [NotNullWhen(true)] out string? module, out bool isA)
    {
        module = null;
        isA = name.Contains(".lora_A.", StringComparison.Ordinal);
        int at = name.IndexOf(isA ? ".lora_A." : ".lora_B.", StringComparison.Ordinal);
        if (at <= 0 || (name[(at + 8)..] is not "weight" and not "default.weight"))
        {
            return false;
        }

        string path = name[..at];
        module = path.StartsWith(Root, StringComparison.Ordinal) ? path[Root.Length..] : path;
        return module.Length > 0;
    }
}
