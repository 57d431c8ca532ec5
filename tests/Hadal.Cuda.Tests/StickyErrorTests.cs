namespace Hadal.Cuda.Tests;

public sealed class StickyErrorTests(Gpu gpu)
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task OutOfBounds_BreaksTheContext_AndEverythingAfterIsRefused(bool synchronous)
    {
        _ = gpu.Context;
        (int exitCode, string output) = await ChildProcess.RunAsync("out-of-bounds", synchronous, TestContext.Current.CancellationToken);
        TestContext.Current.TestOutputHelper?.WriteLine(output);
        Assert.True(exitCode == 0, output);
        string[] lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string first = lines.Single(l => l.StartsWith("first:", StringComparison.Ordinal));
        Assert.Contains("IllegalAddress sticky=True", first, StringComparison.Ordinal);
        Assert.Contains("driver_tests.sm_80/out_of_bounds", first, StringComparison.Ordinal);
        Assert.Contains("grid 3x1x1, block 32", first, StringComparison.Ordinal);
        Assert.Contains("a write out of bounds", first, StringComparison.Ordinal);
        Assert.Contains("restart", first, StringComparison.Ordinal);
        Assert.Contains("broken: True", lines);
        foreach (string what in (string[])["launch", "synchronize", "allocate", "memory", "event", "fill", "other thread"])
        {
            string line = lines.Single(l => l.StartsWith(what + ":", StringComparison.Ordinal));
            Assert.Contains("IllegalAddress sticky=True", line, StringComparison.Ordinal);
            Assert.Contains("restart the process", line, StringComparison.Ordinal);
            Assert.Contains("out_of_bounds", line, StringComparison.Ordinal);
        }

        Assert.Contains("disposed", lines);
    }

    [Fact]
    public async Task ChildProcess_DoesWhatItIsStartedFor()
    {
        (int exitCode, string output) = await ChildProcess.RunAsync("thread", synchronous: false, TestContext.Current.CancellationToken);
        Assert.Equal("from a thread\n", output);
        Assert.Equal(0, exitCode);
    }

    [Theory]
    [InlineData(CudaResult.IllegalAddress, true)]
    [InlineData(CudaResult.LaunchFailed, true)]
    [InlineData(CudaResult.EccUncorrectable, true)]
    [InlineData(CudaResult.MisalignedAddress, true)]
    [InlineData(CudaResult.OutOfMemory, false)]
    [InlineData(CudaResult.InvalidValue, false)]
    [InlineData(CudaResult.LaunchOutOfResources, false)]
    [InlineData(CudaResult.StreamCaptureInvalidated, false)]
    public void IsSticky_OfWhatLosesTheContext(CudaResult result, bool expected) => Assert.Equal(expected, CudaError.IsSticky(result));
}
