using System.Globalization;
using Hadal.Formats.Lora;
using Hadal.Formats.Safetensors;
using Hadal.Numerics;

namespace Hadal.Models.Tests.Lora;

/// <summary>Writes a random adapter for matrices of a model into a folder, and keeps it as plain arrays.</summary>
internal sealed unsafe class AdapterFolder : IDisposable
{
    private readonly List<NativeBuffer> _buffers = [];

    /// <param name="name">The adapter's.</param>
    /// <param name="weights">Names and shapes of the matrices.</param>
    /// <param name="seed">Of its values.</param>
    /// <param name="dtype">F32, F16 or BF16.</param>
    /// <param name="rslora">alpha / √r instead of alpha / r.</param>
    public AdapterFolder(string name, IEnumerable<(string Name, int Rows, int Columns)> weights, int seed, DType dtype = DType.F32, bool rslora = false)
    {
        Name = name;
        Path = Directory.CreateTempSubdirectory("hadal-lora-").FullName;
        var random = new Random(seed);
        var tensors = new List<StoredTensor>();
        var modules = new SortedSet<string>(StringComparer.Ordinal);
        foreach ((string weight, int rows, int columns) in weights)
        {
            string module = weight[..^".weight".Length];
            modules.Add(module[(module.LastIndexOf('.') + 1)..]);
            // As the configuration below has it.
            int rank = module.EndsWith(".o_proj", StringComparison.Ordinal) ? 3 : module.EndsWith("layers.1.mlp.down_proj", StringComparison.Ordinal) ? 1 : 5;
            double alpha = module.EndsWith("_proj", StringComparison.Ordinal) && module.Contains("mlp", StringComparison.Ordinal) ? 7 : 10;
            float[] a = Fill(random, rank * columns, 1 / Math.Sqrt(columns), dtype);
            float[] b = Fill(random, rows * rank, 0.2 / Math.Sqrt(rank), dtype);
            Pairs[weight] = (a, b, rank, alpha / (rslora ? Math.Sqrt(rank) : rank));
            tensors.Add(Tensor($"base_model.model.{module}.lora_A.weight", a, [rank, columns], dtype));
            tensors.Add(Tensor($"base_model.model.{module}.lora_B.weight", b, [rows, rank], dtype));
        }

        SafetensorsWriter.Write(System.IO.Path.Combine(Path, "adapter_model.safetensors"), tensors);
        File.WriteAllText(System.IO.Path.Combine(Path, "adapter_config.json"), $$$"""
            { "peft_type": "LORA", "r": 5, "lora_alpha": 10, "use_rslora": {{{(rslora ? "true" : "false")}}}, "bias": "none", "modules_to_save": null, "use_dora": false,
              "target_modules": [{{{string.Join(", ", modules.Select(m => $"\"{m}\""))}}}],
              "rank_pattern": { "o_proj": 3, "layers\\.1\\.mlp\\.down_proj": 1 }, "alpha_pattern": { "mlp\\..*_proj": 7 } }
            """);
    }

    public string Name { get; }

    public string Path { get; }

    public Dictionary<string, (float[] A, float[] B, int Rank, double Scale)> Pairs { get; } = new(StringComparer.Ordinal);

    public LoraFile Open() => LoraFile.Open(Name, Path);

    public void Dispose()
    {
        Directory.Delete(Path, recursive: true);
        _buffers.ForEach(b => b.Dispose());
    }

    private static float[] Fill(Random random, int count, double deviation, DType dtype)
    {
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
        {
            float v = (float)((random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5) * 2 * deviation);
            values[i] = dtype switch
            {
                DType.Bf16 => Bf16.ToSingle(Bf16.FromSingle(v)),
                DType.F16 => (float)(Half)v,
                _ => v,
            };
        }

        return values;
    }

    private StoredTensor Tensor(string name, float[] values, long[] shape, DType dtype)
    {
        NativeBuffer buffer = new((nuint)(values.Length * dtype.BlockBytes));
        _buffers.Add(buffer);
        for (int i = 0; i < values.Length; i++)
        {
            switch (dtype)
            {
                case DType.Bf16:
                    buffer.As<ushort>()[i] = Bf16.FromSingle(values[i]);
                    break;
                case DType.F16:
                    buffer.As<Half>()[i] = (Half)values[i];
                    break;
                default:
                    buffer.As<float>()[i] = values[i];
                    break;
            }
        }

        return new StoredTensor(name, dtype, shape, buffer, string.Create(CultureInfo.InvariantCulture, $"made {name}"));
    }
}
