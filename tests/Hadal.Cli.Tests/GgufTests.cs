using System.Text.Json;
using System.Text.Json.Nodes;
using Hadal.Formats.Config;
using Hadal.Formats.Gguf;
using Hadal.Formats.Safetensors;
using Hadal.Graph.Ir;
using Hadal.Models;
using Hadal.Numerics;
using Hadal.TestKit;
using Hadal.TestKit.Gguf;

namespace Hadal.Cli.Tests;

/// <summary>The goldens as GGUF files, laid out as llama.cpp's converter lays them out.</summary>
public sealed class GgufTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hadal-gguf-");

    [Theory]
    [InlineData("llama", DType.F32, true)]
    [InlineData("llama", DType.Bf16, true)]
    [InlineData("qwen2", DType.F32, true)]
    [InlineData("qwen3", DType.Bf16, true)]
    [InlineData("deepseek_v2", DType.F32, true)]
    [InlineData("deepseek_v2", DType.Bf16, false)]
    [InlineData("deepseek_v2_lite", DType.Bf16, true)]
    [InlineData("deepseek_v3", DType.F32, false)]
    [InlineData("deepseek_v3", DType.Bf16, true)]
    public async Task Logits_OfExactGguf_AreWithinTheBar(string family, DType weights, bool splitKvB)
    {
        (float worst, _) = await DifferenceAsync(family, weights, splitKvB);
        Assert.InRange(worst, 0, 2e-3f);
    }

    [Theory]
    [InlineData("llama", DType.F16)]
    [InlineData("llama", DType.Q8_0)]
    public async Task Logits_OfRoundedGguf_StayNear(string family, DType weights)
    {
        // Q8_0 moves a random matrix's outputs by about half a percent (a step of max/127 of 32 values, over the root of 12);
        // through the twenty matmuls of three layers that adds up to two or three.
        (_, double mean) = await DifferenceAsync(family, weights, splitKvB: true);
        Assert.InRange(mean, 0, weights == DType.F16 ? 1e-3 : 5e-2);
    }

    /// <summary>The formats themselves, end to end: a quantised file and the numbers it means, written out as float32, are the same model.</summary>
    [Theory]
    [InlineData("llama", DType.Q8_0)]
    [InlineData("llama", DType.Q4_0)]
    [InlineData("llama", DType.Q4_1)]
    [InlineData("llama", DType.Q5_0)]
    [InlineData("llama", DType.Q5_1)]
    [InlineData("llama", DType.Q4_K)]
    [InlineData("llama", DType.Q5_K)]
    [InlineData("llama", DType.Q6_K)]
    [InlineData("deepseek_v2_lite", DType.Q4_0)]
    [InlineData("deepseek_v2_lite", DType.Q4_K)]
    [InlineData("deepseek_v2_lite", DType.Q6_K)]
    public async Task Logits_OfQuantisedGguf_EqualThoseOfItsWeightsInFloat32(string family, DType type)
    {
        string hf = Path.Combine(_folder.FullName, "wide");
        await WriteWideModelAsync(family, hf, type);
        string ids = Path.Combine(_folder.FullName, "ids.safetensors");
        LogitsTests.WriteIds(ids, [.. Enumerable.Range(0, 24).Select(i => i * 67L % 256)], DType.I64, [2, 12]);
        string gguf = Path.Combine(_folder.FullName, "model.gguf");
        HadalProcess inspect = (await HadalProcess.RunAsync("inspect", gguf)).ExpectSuccess();
        Assert.Contains($"× {type}", inspect.Output, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("BF16", inspect.Output);
        string expected = Path.Combine(_folder.FullName, "expected.safetensors");
        string actual = Path.Combine(_folder.FullName, "actual.safetensors");
        (await HadalProcess.RunAsync("logits", hf, "--input-ids", ids, "--output", expected)).ExpectSuccess();
        (await HadalProcess.RunAsync("logits", gguf, "--input-ids", ids, "--output", actual)).ExpectSuccess();
        Assert.InRange(LogitsTests.Difference(actual, expected).Worst, 0, 2e-3f);
        if (family == "llama")
        {
            // Emitted kernels round activations. (Of a random mixture one flipped expert outweighs that.)
            (await HadalProcess.RunAsync("logits", gguf, "--input-ids", ids, "--output", actual, "--dtype", "auto")).ExpectSuccess();
            Assert.InRange(LogitsTests.Difference(actual, expected).MeanShare, 0, 0.02);
        }
    }

    public void Dispose() => _folder.Delete(recursive: true);

    /// <summary>
    /// A random model whose rows are whole blocks of 256: as model.gguf in the type, and as a folder of what its blocks mean. Blocks lie within rows, so it is
    /// one whether rows are rounded before or after the converter has put them into its own order.
    /// </summary>
    private async Task WriteWideModelAsync(string family, string hf, DType type)
    {
        Directory.CreateDirectory(hf);
        JsonNode json = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(Repository.Model(family), "config.json"), TestContext.Current.CancellationToken))!;
        (string Key, int Value)[] widths = family == "llama"
            ? [("hidden_size", 256), ("intermediate_size", 512), ("head_dim", 64)]
            : [("hidden_size", 256), ("intermediate_size", 512), ("moe_intermediate_size", 256), ("kv_lora_rank", 256), ("v_head_dim", 64)];
        foreach ((string key, int value) in widths)
        {
            json[key] = value;
        }

        string config = json.ToJsonString();
        await File.WriteAllTextAsync(Path.Combine(hf, "config.json"), config, TestContext.Current.CancellationToken);
        ModelConfig parsed = ModelConfigReader.FromFolder(hf);
        ModelGraph graph = ModelCatalog.Find(parsed).Build(parsed);
        string original = Path.Combine(_folder.FullName, "original");
        Directory.CreateDirectory(original);
        WriteRandom(Path.Combine(original, "model.safetensors"), graph, null);
        WriteRandom(Path.Combine(hf, "model.safetensors"), graph, type);
        using SafetensorsCheckpoint source = SafetensorsCheckpoint.Open(original);
        using JsonDocument document = JsonDocument.Parse(config);
        GgufConverter.Convert(source, document.RootElement, new GgufConversion { WeightType = type, SplitKvB = false }).Write(Path.Combine(_folder.FullName, "model.gguf"));
    }

    private static unsafe void WriteRandom(string path, ModelGraph graph, DType? roundTo)
    {
        var random = new Random(17);
        var buffers = new List<NativeBuffer>();
        var tensors = new List<StoredTensor>();
        foreach (WeightSpec spec in graph.Weights.OrderBy(w => w.Name, StringComparer.Ordinal))
        {
            NativeBuffer buffer = NativeBuffer.Of<float>((nint)spec.NumElements);
            buffers.Add(buffer);
            TestMatrix.Fill(random, buffer.Span<float>(), spec.IsVector ? 0.1 : 1 / Math.Sqrt(spec.Columns));
            if (roundTo is { } type && !spec.IsVector && !spec.KeepPrecision)
            {
                byte[] blocks = ReferenceQuantizer.Quantize(type, buffer.Span<float>());
                fixed (byte* b = blocks)
                {
                    BlockDequantizer.ToSingle(type, b, buffer.Span<float>());
                }
            }

            tensors.Add(new StoredTensor(spec.Name, DType.F32, spec.IsVector ? [spec.Rows] : [spec.Rows, spec.Columns], buffer, "test"));
        }

        SafetensorsWriter.Write(path, tensors);
        buffers.ForEach(b => b.Dispose());
    }

    private async Task<(float Worst, double MeanShare)> DifferenceAsync(string family, DType weights, bool splitKvB)
    {
        string gguf = Path.Combine(_folder.FullName, "model.gguf");
        using (SafetensorsCheckpoint source = SafetensorsCheckpoint.Open(ModelOnly(family)))
        using (JsonDocument config = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(Repository.Model(family), "config.json"), TestContext.Current.CancellationToken)))
        {
            GgufConverter.Convert(source, config.RootElement, new GgufConversion { WeightType = weights, SplitKvB = splitKvB }).Write(gguf);
        }

        string expected = Path.Combine(Repository.Model(family), "expected.safetensors");
        string output = Path.Combine(_folder.FullName, "logits.safetensors");
        (await HadalProcess.RunAsync("logits", gguf, "--input-ids", expected, "--output", output)).ExpectSuccess();
        return LogitsTests.Difference(output, expected);
    }

    // The golden's folder also holds what is expected of it, which is no weight.
    private string ModelOnly(string family)
    {
        string folder = Path.Combine(_folder.FullName, "hf");
        Directory.CreateDirectory(folder);
        File.Copy(Path.Combine(Repository.Model(family), "model.safetensors"), Path.Combine(folder, "model.safetensors"), overwrite: true);
        return folder;
    }
}
