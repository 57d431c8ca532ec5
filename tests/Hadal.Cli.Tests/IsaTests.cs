using System.Diagnostics;
using System.Runtime.Intrinsics.X86;
using Hadal.Jit;

namespace Hadal.Cli.Tests;

/// <summary><c>--isa</c>: every level computes the same, and one that is not there is refused.</summary>
public sealed class IsaTests
{
    [Theory]
    [InlineData("f32")]
    [InlineData("auto")]
    public async Task Run_AtEveryLevel_ChoosesTheSameTokens(string dtype)
    {
        string[] run = ["run", "--raw", "--prompt", "Once upon a time", "--temperature", "0", "--max-tokens", "40", "--dtype", dtype];
        string expected = (await HadalProcess.RunAsync(run)).ExpectSuccess().Output;
        Assert.True(expected.Length > 60, expected);
        List<string> levels = ["scalar"];
        if (Avx2.IsSupported && Fma.IsSupported)
        {
            levels.Add("avx2");
        }

        if (CpuFeatures.Detect().Avx512)
        {
            levels.Add("avx512");
        }

        foreach (string level in levels)
        {
            Assert.Equal(expected, (await HadalProcess.RunAsync([.. run, "--isa", level])).ExpectSuccess().Output);
        }
    }

    [Theory]
    [InlineData("scalar", "scalar")]
    [InlineData("avx2", "avx2")]
    public async Task Bench_BelowAvx512_EmitsNothingAndSaysSo(string level, string compiled)
    {
        Assert.SkipUnless(Avx2.IsSupported && Fma.IsSupported, "this machine (or DOTNET_EnableHWIntrinsic=0) has no AVX2");
        HadalProcess bench = (await HadalProcess.RunAsync("bench", "--isa", level, "--prompt", "0", "--decode", "1", "--batch", "1", "--repeat", "1")).ExpectSuccess();
        Assert.Contains($"\"instruction_sets\": \"{compiled}\"", bench.Output, StringComparison.Ordinal);
        HadalProcess asm = (await HadalProcess.RunAsync("explain", "--asm", "--isa", level)).ExpectSuccess();
        Assert.Contains($"no code is emitted. Emitted kernels need AVX-512 with VNNI or BF16; here: AVX-512 switched off by --isa {level}", asm.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Level_ThatIsNotThere_IsRefusedWithWhatThereIs()
    {
        (await With("DOTNET_EnableAVX512=0", "run", "--prompt", "x", "--isa", "avx512")).ExpectError("--isa avx512", "DOTNET_EnableAVX512=0");
        (await With("DOTNET_EnableHWIntrinsic=0", "run", "--prompt", "x", "--isa", "avx2")).ExpectError("--isa avx2", "no AVX2");
    }

    [Fact]
    public async Task Level_Unknown_IsAUsageError()
    {
        HadalProcess run = await HadalProcess.RunAsync("explain", "--isa", "sse");
        Assert.Equal(2, run.ExitCode);
        Assert.Contains("auto, scalar, avx2, avx512", run.Error, StringComparison.Ordinal);
    }

    private static async Task<HadalProcess> With(string variable, params string[] arguments)
    {
        using Process process = HadalProcess.StartOther("env", [variable, HadalProcess.Executable, .. arguments]);
        process.StandardInput.Close();
        return await HadalProcess.EndAsync(process);
    }
}
