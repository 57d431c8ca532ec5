using System.Runtime.InteropServices;
using Hadal.Graph.Cpu;
using Hadal.Jit;
using Hadal.Numerics;

namespace Hadal.Models.Tests;

/// <summary>Many more workers than this machine has processors, and than most operations have blocks, change no bit.</summary>
public sealed class ManyWorkersTests
{
    [Theory]
    [InlineData("deepseek_v3", 7)]
    [InlineData("deepseek_v3", 1)]
    [InlineData("deepseek_v3_fp8", 7)]
    [InlineData("qwen2", 7)]
    [InlineData("qwen2", 1)]
    public void Logits_Of64WorkersOnPackedWeights_EqualThoseOfOne(string family, int chunk)
    {
        Assert.SkipUnless(CpuFeatures.Detect() is { Avx512Vnni: true, Avx512Bf16: true }, "this machine has no such instructions, or they are switched off");
        float[] one = Logits(family, chunk, new CpuOptions { Threads = 1 });
        float[] many = Logits(family, chunk, new CpuOptions { Threads = 64, Pinning = ThreadPinning.On });
        Assert.Equal(MemoryMarshal.AsBytes<float>(one), MemoryMarshal.AsBytes<float>(many));
    }

    private static float[] Logits(string family, int chunk, CpuOptions options)
    {
        using var golden = new Golden(family, "default", options with { BlockSize = 4, Pack = true, KvDType = DType.Bf16 });
        return golden.Prefill(golden.Rows, chunk);
    }
}
