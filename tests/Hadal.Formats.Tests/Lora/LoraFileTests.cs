using System.Diagnostics;
using System.Text;
using FsCheck.Xunit;
using Hadal.Formats.Lora;
using Hadal.Formats.Safetensors;
using Hadal.Numerics;

namespace Hadal.Formats.Tests.Lora;

public sealed class LoraFileTests : IDisposable
{
    private const string Q = "base_model.model.model.layers.0.self_attn.q_proj";
    private readonly string _folder = Directory.CreateTempSubdirectory("hadal-lora-").FullName;
    private readonly List<NativeBuffer> _buffers = [];

    public void Dispose()
    {
        Directory.Delete(_folder, recursive: true);
        _buffers.ForEach(b => b.Dispose());
    }

    [Theory]
    [InlineData("\"r\": 4, \"lora_alpha\": 8", 4, 2)]
    [InlineData("\"r\": 4, \"lora_alpha\": 8, \"use_rslora\": true", 4, 4)]
    [InlineData("\"r\": 4, \"lora_alpha\": 2.5", 4, 0.625)]
    [InlineData("\"r\": 9, \"lora_alpha\": 8, \"rank_pattern\": {\"q_proj\": 4}", 4, 2)]
    [InlineData("\"r\": 9, \"lora_alpha\": 8, \"rank_pattern\": {\"proj\": 1, \"model.layers.0.self_attn.q_proj\": 4}", 4, 2)]
    [InlineData("\"r\": 9, \"lora_alpha\": 8, \"rank_pattern\": {\"layers\\\\.(0|1)\\\\.self_attn\\\\..*\": 4}", 4, 2)]
    [InlineData("\"r\": 4, \"lora_alpha\": 8, \"alpha_pattern\": {\"v_proj\": 99, \"q_proj\": 12}", 4, 3)]
    [InlineData("\"r\": 4, \"lora_alpha\": 8, \"target_modules\": \"all-linear\"", 4, 2)]
    [InlineData("\"r\": 4, \"lora_alpha\": 8, \"target_modules\": \"^(?!.*vision).*layers\\\\.\\\\d+\\\\.self_attn\\\\.(q|k)_proj$\"", 4, 2)]
    [InlineData("\"r\": 4, \"lora_alpha\": 8, \"target_modules\": null, \"modules_to_save\": [], \"layers_to_transform\": null, \"unknown\": {}", 4, 2)]
    [InlineData("\"r\": 4, \"lora_alpha\": 8, \"target_modules\": [\"self_attn.q_proj\"], \"init_lora_weights\": true", 4, 2)]
    public void Open_OfAnyConfiguration_ReadsRankAndScale(string fields, int rank, double scale)
    {
        Write(fields.Contains("target_modules", StringComparison.Ordinal) ? fields : fields + ", \"target_modules\": [\"q_proj\"]", Pair(Q, rank));
        using LoraFile file = LoraFile.Open("mine", _folder);
        LoraModule module = Assert.Single(file.Modules);
        Assert.Equal(("mine", "model.layers.0.self_attn.q_proj"), (file.Name, module.Name));
        Assert.Equal(scale, module.Scale, 1e-12);
        Assert.Equal([rank, 6], module.A.Shape);
        Assert.Equal([10, rank], module.B.Shape);
    }

    [Theory]
    [InlineData("peft_type", "\"peft_type\": \"LOHA\"")]
    [InlineData("'r'", "\"r\": 0")]
    [InlineData("'r'", "\"r\": \"4\"")]
    [InlineData("'r'", "\"r\": 100000")]
    [InlineData("lora_alpha", "\"lora_alpha\": null")]
    [InlineData("lora_alpha", "\"lora_alpha\": 1e300")]
    [InlineData("use_dora", "\"use_dora\": true")]
    [InlineData("lora_bias", "\"lora_bias\": true")]
    [InlineData("fan_in_fan_out", "\"fan_in_fan_out\": true")]
    [InlineData("'bias'", "\"bias\": \"all\"")]
    [InlineData("modules_to_save", "\"modules_to_save\": [\"lm_head\"]")]
    [InlineData("layer_replication", "\"layer_replication\": [[0, 1]]")]
    [InlineData("target_parameters", "\"target_parameters\": [\"x\"]")]
    [InlineData("init_lora_weights", "\"init_lora_weights\": \"pissa_niter_4\"")]
    [InlineData("target_modules", "\"target_modules\": [\"v_proj\"]")]
    [InlineData("target_modules", "\"target_modules\": [\"proj\"]")]
    [InlineData("target_modules", "\"target_modules\": [7]")]
    [InlineData("target_modules", "\"target_modules\": \"(((\"")]
    [InlineData("rank_pattern", "\"rank_pattern\": {\"q_proj\": 4.5}")]
    [InlineData("rank_pattern", "\"rank_pattern\": [4]")]
    [InlineData("rank_pattern", "\"rank_pattern\": {\"[\": 4}")]
    [InlineData("gives it rank 3", "\"rank_pattern\": {\"q_proj\": 3}")]
    [InlineData("use_rslora", "\"use_rslora\": \"yes\"")]
    public void Open_OfWhatIsNotPlainLora_IsRefusedByKey(string key, string field)
    {
        var fields = new Dictionary<string, string> { ["peft_type"] = "\"LORA\"", ["r"] = "4", ["lora_alpha"] = "8", ["target_modules"] = "[\"q_proj\"]" };
        string name = field[1..field.IndexOf('"', 1)];
        fields[name] = field[(field.IndexOf(':', StringComparison.Ordinal) + 1)..];
        Write(string.Join(", ", fields.Select(f => $"\"{f.Key}\": {f.Value}")), Pair(Q, 4), whole: true);
        HadalException e = Assert.Throws<HadalException>(() => LoraFile.Open("mine", _folder));
        Assert.Contains(key, e.Message, StringComparison.Ordinal);
        Assert.Contains(_folder, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_OfDamagedTensors_IsRefused()
    {
        const string fields = "\"r\": 4, \"lora_alpha\": 8, \"target_modules\": [\"q_proj\"]";
        StoredTensor a = Make($"{Q}.lora_A.weight", DType.F32, 4, 6);
        StoredTensor b = Make($"{Q}.lora_B.weight", DType.F32, 10, 4);
        foreach ((string why, StoredTensor[] tensors) in new (string, StoredTensor[])[]
        {
            ("no tensors", []),
            ("no lora_B", [a]),
            ("no lora_A", [b]),
            ("rank 4", [a, Make($"{Q}.lora_B.weight", DType.F32, 10, 5)]),
            ("may be F32", [Make($"{Q}.lora_A.weight", DType.I8, 4, 6), b]),
            ("a matrix is expected", [Make($"{Q}.lora_A.weight", DType.F32, 24), b]),
            ("neither lora_A.weight", [a, b, Make("base_model.model.lm_head.weight", DType.F32, 4, 6)]),
            ("neither lora_A.weight", [a, b, Make($"{Q}.lora_magnitude_vector", DType.F32, 10)]),
            ("neither lora_A.weight", [a, b, Make("base_model.model.model.embed_tokens.lora_embedding_A", DType.F32, 4, 6)]),
            ("neither lora_A.weight", [a, b, Make(".lora_A.weight", DType.F32, 4, 6)]),
            ("two lora_A", [a, b, Make($"{Q}.lora_A.default.weight", DType.F32, 4, 6)]),
        })
        {
            Write(fields, tensors);
            Assert.Contains(why, Assert.Throws<HadalException>(() => LoraFile.Open("mine", _folder)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Open_OfMissingFiles_SaysWhich()
    {
        Assert.Contains("is no folder", Assert.Throws<HadalException>(() => LoraFile.Open("mine", Path.Combine(_folder, "none"))).Message, StringComparison.Ordinal);
        Assert.Contains("adapter_config.json", Assert.Throws<HadalException>(() => LoraFile.Open("mine", _folder)).Message, StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(_folder, "adapter_config.json"), "{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": 8}");
        Assert.Contains("adapter_model.safetensors", Assert.Throws<HadalException>(() => LoraFile.Open("mine", _folder)).Message, StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(_folder, "adapter_model.bin"), "x");
        Assert.Contains("pickle", Assert.Throws<HadalException>(() => LoraFile.Open("mine", _folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_OfAnExpressionThatExplodes_EndsSoon()
    {
        Write("\"r\": 4, \"lora_alpha\": 8, \"target_modules\": \"(([a-z_.0-9]+)+)+X\"", Pair(Q, 4));
        var clock = Stopwatch.StartNew();
        Assert.Throws<HadalException>(() => LoraFile.Open("mine", _folder));
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(10), $"{clock.Elapsed}");
    }

    [Property(MaxTest = 200)]
    public void Open_OfAnyDamage_FailsCleanlyOrGivesTheSame(int seed)
    {
        Write("\"r\": 4, \"lora_alpha\": 8, \"target_modules\": [\"q_proj\"], \"rank_pattern\": {\"o_proj\": 3}", Pair(Q, 4));
        var random = new Random(seed);
        string path = Path.Combine(_folder, random.Next(2) == 0 ? "adapter_config.json" : "adapter_model.safetensors");
        byte[] bytes = File.ReadAllBytes(path);
        for (int i = random.Next(1, 4); i > 0; i--)
        {
            bytes[random.Next(Math.Min(bytes.Length, 400))] = (byte)random.Next(256);
        }

        File.WriteAllBytes(path, random.Next(4) == 0 ? bytes[..random.Next(bytes.Length)] : bytes);
        try
        {
            using LoraFile file = LoraFile.Open("mine", _folder);
            Assert.All(file.Modules, m => Assert.Equal(m.A.Shape[0], m.B.Shape[1]));
        }
        catch (HadalException e)
        {
            Assert.Contains(_folder, e.Message, StringComparison.Ordinal);
        }
    }

    private void Write(string fields, StoredTensor[] tensors, bool whole = false)
    {
        File.WriteAllText(Path.Combine(_folder, "adapter_config.json"), whole ? $"{{{fields}}}" : $"{{\"peft_type\": \"LORA\", {fields}}}", new UTF8Encoding(false));
        SafetensorsWriter.Write(Path.Combine(_folder, "adapter_model.safetensors"), tensors);
    }

    private StoredTensor[] Pair(string module, int rank)
        => [Make($"{module}.lora_A.weight", DType.F32, rank, 6), Make($"{module}.lora_B.weight", DType.F32, 10, rank)];

    private StoredTensor Make(string name, DType dtype, params long[] shape)
    {
        var buffer = new NativeBuffer((nuint)(shape.Aggregate(1L, (p, d) => p * d) * dtype.BlockBytes));
        _buffers.Add(buffer);
        return new StoredTensor(name, dtype, shape, buffer, "made");
    }
}
