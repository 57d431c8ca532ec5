using System.Text.Json;
using Hadal.Formats.Safetensors;
using Hadal.Numerics;
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

    public void Dispose() => _folder.Delete(recursive: true);

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
