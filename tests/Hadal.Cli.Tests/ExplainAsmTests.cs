using System.Text.Json;
using System.Text.RegularExpressions;
using Hadal.Jit;

namespace Hadal.Cli.Tests;

/// <summary><c>hadal explain --asm</c>.</summary>
public sealed partial class ExplainAsmTests
{
    private static bool HasEmittedCode => CpuFeatures.Detect() is { Avx512Vnni: true, Avx512Bf16: true, Avx512Vbmi: true };

    [Fact]
    public async Task Text_OfDemo_HasEachKernelOnceBehindTheOperations()
    {
        HadalProcess run = (await HadalProcess.RunAsync("explain", "--asm")).ExpectSuccess();
        Assert.SkipUnless(HasEmittedCode, "this machine (or DOTNET_EnableAVX512=0) has no such instructions");
        Assert.Contains("layers.1 … layers.5 (5 alike)", run.Output, StringComparison.Ordinal);
        Assert.Contains("as stored, nothing emitted  (model.layers.1.mlp.gate.weight)", run.Output, StringComparison.Ordinal);
        Assert.Single(CodeHeading().Matches(run.Output), m => m.Value.StartsWith("Fp8Block.4x1:", StringComparison.Ordinal));
        Assert.Contains("vdpbf16ps", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Json_OfDemo_HasTheCodeOfEveryKernelItNames()
    {
        JsonElement usual = await Emitted("--weight-dtype", "int8");
        JsonElement all = await Emitted("--weight-dtype", "int8", "--all");
        Assert.SkipUnless(HasEmittedCode, "this machine (or DOTNET_EnableAVX512=0) has no such instructions");
        foreach (JsonElement emitted in new[] { usual, all })
        {
            string[] kernels = [.. emitted.GetProperty("kernels").EnumerateArray().Select(k => k.GetProperty("name").GetString()!)];
            Assert.Equal(kernels.Distinct(StringComparer.Ordinal), kernels);
            Assert.Equal(kernels.Order(StringComparer.Ordinal), emitted.GetProperty("uses").EnumerateArray()
                .SelectMany(u => u.GetProperty("kernels").EnumerateArray()).Select(k => k.GetString()!).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
            Assert.All(emitted.GetProperty("kernels").EnumerateArray(), k =>
            {
                Assert.True(k.GetProperty("code_bytes").GetInt32() > 100);
                Assert.Contains(k.GetProperty("assembly").EnumerateArray(), l => l.GetString()!.Contains("vpdpbusd", StringComparison.Ordinal) || l.GetString()!.Contains("vdpbf16ps", StringComparison.Ordinal));
            });
        }

        Assert.True(all.GetProperty("kernels").GetArrayLength() > usual.GetProperty("kernels").GetArrayLength());
    }

    [Fact]
    public async Task Synthetic_OfAnySize_IsExplainedWithoutItsWeights()
    {
        // 671 GB, were they made.
        JsonElement emitted = await Emitted("--synthetic", "deepseek-v3");
        Assert.Equal(256, emitted.GetProperty("uses").EnumerateArray().Max(u => u.GetProperty("matrices").GetInt32()));
    }

    [Fact]
    public async Task NoCode_SaysWhy()
    {
        HadalProcess f32 = (await HadalProcess.RunAsync("explain", "--asm", "--dtype", "f32")).ExpectSuccess();
        Assert.Contains("no code is emitted. --dtype f32", f32.Output, StringComparison.Ordinal);
        Assert.Contains("--dtype bf16", (await Emitted("--dtype", "bf16")).GetProperty("nothing").GetString()!, StringComparison.Ordinal);
        string unpacked = (await Emitted("--synthetic", "deepseek-r1-distill-qwen-1.5b", "--weight-dtype", "f32", "--kv-dtype", "f32")).GetProperty("nothing").GetString()!;
        Assert.Contains(HasEmittedCode ? "No matrix of the model has a packed kind" : "need AVX-512", unpacked, StringComparison.Ordinal);
    }

    private static async Task<JsonElement> Emitted(params string[] arguments)
    {
        HadalProcess run = (await HadalProcess.RunAsync(["explain", "--asm", "--json", .. arguments])).ExpectSuccess();
        using JsonDocument document = JsonDocument.Parse(run.Output);
        return document.RootElement.GetProperty("emitted").Clone();
    }

    [GeneratedRegex(@"^\w+\.\dx\d: .* bytes$", RegexOptions.Multiline)]
    private static partial Regex CodeHeading();
}
