namespace Hadal.Jit.Tests;

/// <summary>The ceilings that benchmarks compare with: plausible, and absent where the instruction is.</summary>
public sealed class CeilingTests
{
    [Theory]
    [InlineData(MultiplyAdd.F32)]
    [InlineData(MultiplyAdd.Bf16)]
    [InlineData(MultiplyAdd.Int8)]
    public void MultiplyAddRate_IsMeasuredWhereTheInstructionIs(MultiplyAdd instruction)
    {
        using var pool = new WorkerPool(1);
        CpuFeatures features = CpuFeatures.Detect();
        double? rate = MultiplyAddRate.MeasureGops(pool, instruction);
        if (instruction != MultiplyAdd.F32)
        {
            Assert.Equal(instruction == MultiplyAdd.Int8 ? features.Avx512Vnni : features.Avx512Bf16, rate is not null);
        }

        // Half a gigahertz of one instruction a cycle on a busy machine; two a cycle at 6 GHz.
        Assert.True(rate is null or (> 1 and < 1600), $"{rate} GOP/s");
    }

    [Fact]
    public void ReadBandwidth_IsPlausible()
    {
        using var pool = new WorkerPool(2);
        Assert.InRange(ReadBandwidth.MeasureGBps(pool, bufferMiB: 64), 0.1, 5000);
    }
}
