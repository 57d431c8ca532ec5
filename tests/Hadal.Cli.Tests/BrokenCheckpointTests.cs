using System.Text.Json.Nodes;
using Hadal.Formats.Safetensors;
using Hadal.Numerics;

namespace Hadal.Cli.Tests;

/// <summary>Broken models through the whole program: one clear line each. (The readers' own corpora are in Hadal.Formats.Tests.)</summary>
public sealed class BrokenCheckpointTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hadal-broken-");

    [Fact]
    public async Task Model_ThatIsNotThere_IsNamed()
    {
        (await HadalProcess.RunAsync("inspect", "/no/such/model")).ExpectError("/no/such/model");
        (await HadalProcess.RunAsync("inspect", _folder.FullName)).ExpectError("config.json");
        (await HadalProcess.RunAsync("run", "--synthetic", "gpt-2", "--prompt", "x")).ExpectError("gpt-2", "deepseek-v2-lite");
        (await HadalProcess.RunAsync("bench", "--synthetic", "deepseek-v2-lite", "--layers", "99")).ExpectError("99", "27");
        (await HadalProcess.RunAsync("bench", "--fusion", "everything")).ExpectError("everything", "silu-mul");
        (await HadalProcess.RunAsync("run", "--prompt", "x", "--kv-memory", "lots")).ExpectError("lots", "2GiB");
        (await HadalProcess.RunAsync("run", "--prompt", "x", "--max-context", "5000")).ExpectError("5000", "2048");
    }

    [Theory]
    [InlineData("hidden_size", "\"sixty-four\"", "hidden_size")]
    [InlineData("hidden_size", "-64", "hidden_size")]
    [InlineData("hidden_size", "2000000000", "hidden_size")]
    [InlineData("num_key_value_heads", "3", "num_key_value_heads")]
    [InlineData("vocab_size", "255", "[255, 64]")]
    [InlineData("intermediate_size", "97", "[97, 64]")]
    [InlineData("num_hidden_layers", "4", "model.layers.3.")]
    [InlineData("model_type", "\"gpt2\"", "gpt2")]
    [InlineData("hidden_act", "\"gelu\"", "gelu")]
    [InlineData("rope_parameters", "{\"rope_type\": \"mystery\", \"rope_theta\": 10000}", "mystery")]
    [InlineData("quantization_config", "{\"quant_method\": \"awq\"}", "awq")]
    public async Task Config_WithAWrongValue_IsNamed(string key, string value, string mention)
    {
        CopyGolden("llama");
        string path = Path.Combine(_folder.FullName, "config.json");
        JsonNode config = JsonNode.Parse(await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken))!;
        config[key] = JsonNode.Parse(value);
        if (key == "model_type")
        {
            config["architectures"] = new JsonArray("GPT2LMHeadModel");
        }

        await File.WriteAllTextAsync(path, config.ToJsonString(), TestContext.Current.CancellationToken);
        (await Logits()).ExpectError(mention);
    }

    [Theory]
    [InlineData("{", "config.json")]
    [InlineData("[]", "config.json")]
    [InlineData("", "config.json")]
    public async Task Config_ThatIsNoObject_IsNamed(string text, string mention)
    {
        CopyGolden("llama");
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "config.json"), text, TestContext.Current.CancellationToken);
        (await Logits()).ExpectError(mention);
    }

    [Fact]
    public async Task Weights_CutOff_AreNamed()
    {
        CopyGolden("llama");
        string path = Path.Combine(_folder.FullName, "model.safetensors");
        byte[] bytes = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        foreach (int keep in new[] { 0, 7, 100, bytes.Length - 1 })
        {
            await File.WriteAllBytesAsync(path, bytes[..keep], TestContext.Current.CancellationToken);
            (await Logits()).ExpectError("model.safetensors");
        }
    }

    [Theory]
    [InlineData("model.layers.1.self_attn.q_a_proj.weight", "missing")]
    [InlineData("model.layers.0.mlp.gate_proj.weight_scale_inv", "weight_scale_inv")]
    [InlineData("model.layers.1.mlp.experts.3.down_proj.weight", "missing")]
    public async Task Tensor_Missing_IsNamed(string name, string mention)
    {
        CopyGolden("deepseek_v3_fp8");
        Rewrite(t => t.Name == name ? null : t);
        (await Logits()).ExpectError(name.Replace("_scale_inv", "", StringComparison.Ordinal), mention);
    }

    [Fact]
    public async Task Tensor_OfWrongTypeOrShape_IsNamed()
    {
        CopyGolden("llama");
        const string name = "model.layers.2.mlp.up_proj.weight";
        Rewrite(t => t.Name != name ? t : t.With(DType.Bf16, [48, 128]));
        (await Logits()).ExpectError(name, "[48, 128]", "[96, 64]");
        Rewrite(t => t.Name != name ? t : t.With(DType.I16, [96, 64]));
        (await Logits()).ExpectError(name, "I16");
    }

    [Fact]
    public async Task Scales_OfWrongShape_AreNamed()
    {
        CopyGolden("deepseek_v3_fp8");
        const string name = "model.layers.0.mlp.gate_proj.weight_scale_inv";
        Rewrite(t => t.Name != name ? t : t.With(DType.F32, [.. t.Shape.Reverse(), 1]));
        (await Logits()).ExpectError(name);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private Task<HadalProcess> Logits() => HadalProcess.RunAsync(
        "logits", _folder.FullName, "--input-ids", Path.Combine(Repository.Model("llama"), "expected.safetensors"), "--output", Path.Combine(_folder.FullName, "out"));

    private void CopyGolden(string family)
    {
        foreach (string file in new[] { "config.json", "model.safetensors" })
        {
            File.Copy(Path.Combine(Repository.Model(family), file), Path.Combine(_folder.FullName, file));
        }
    }

    private void Rewrite(Func<StoredTensor, StoredTensor?> change)
    {
        string path = Path.Combine(_folder.FullName, "model.safetensors");
        using (SafetensorsFile file = SafetensorsFile.Open(path))
        {
            var tensors = new List<StoredTensor>();
            foreach (SafetensorsTensor t in file.Tensors)
            {
                Assert.True(file.TryGet(t.Name, out StoredTensor? tensor));
                if (change(tensor) is { } kept)
                {
                    tensors.Add(kept);
                }
            }

            SafetensorsWriter.Write(path + ".new", tensors);
        }

        File.Move(path + ".new", path, overwrite: true);
    }
}
