namespace Hadal.Cli.Tests;

/// <summary>--device and what goes with it, where there is no card; with a card the rest is in Hadal.Cuda.Tests.</summary>
public sealed class DeviceOptionTests
{
    [Fact]
    public async Task Cuda_WithoutADriver_SaysWhatWasLookedFor()
    {
        Assert.SkipWhen(Directory.Exists("/dev") && Directory.GetFiles("/dev", "nvidia*").Length > 0, "there is a card here");
        HadalProcess end = await HadalProcess.RunAsync("run", "--device", "cuda", "--prompt", "Once");
        Assert.Equal(1, end.ExitCode);
        Assert.Equal("", end.Output);
        Assert.Contains("libcuda.so.1", end.Error);
        Assert.Contains("Install NVIDIA's driver", end.Error);
        Assert.DoesNotContain("   at ", end.Error);
    }

    [Theory]
    [InlineData("tpu")]
    [InlineData("cuda:")]
    [InlineData("cuda:x")]
    [InlineData("cuda:-1")]
    [InlineData("CUDA")]
    public async Task Device_OfNoKind_IsAUsageError(string device)
    {
        HadalProcess end = await HadalProcess.RunAsync("run", "--device", device, "--prompt", "Once");
        Assert.Equal(2, end.ExitCode);
        Assert.Contains("cuda:N", end.Error);
    }

    [Theory]
    [InlineData("--deterministic is for --device cuda", "--deterministic")]
    [InlineData("--no-cuda-graphs is for --device cuda", "--no-cuda-graphs")]
    [InlineData("--cuda-kernels is for --device cuda", "--cuda-kernels", "sm_80")]
    [InlineData("--kv-dtype fp8 is for --device cuda", "--kv-dtype", "fp8")]
    [InlineData("--weight-dtype int4", "--weight-dtype", "int4")]
    [InlineData("--pin is for --device cpu", "--device", "cuda", "--pin", "on")]
    [InlineData("--isa is for --device cpu", "--device", "cuda", "--isa", "avx2")]
    [InlineData("--pack-cache is for --device cpu", "--device", "cuda", "--pack-cache", "/tmp/none")]
    public async Task Option_OfAnotherDevice_IsRefused(string expected, params string[] options)
    {
        HadalProcess end = await HadalProcess.RunAsync(["run", "--prompt", "Once", .. options]);
        Assert.Equal(1, end.ExitCode);
        Assert.Contains(expected, end.Error);
    }

    [Fact]
    public async Task Suite_WithoutACard_SaysSo()
    {
        HadalProcess end = await HadalProcess.RunAsync("bench", "--suite", "h100");
        Assert.Equal(1, end.ExitCode);
        Assert.Contains("--suite h100 needs --device cuda", end.Error);
    }
}
