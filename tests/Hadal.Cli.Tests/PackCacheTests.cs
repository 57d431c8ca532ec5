using Hadal.Jit;

namespace Hadal.Cli.Tests;

/// <summary><c>--pack-cache</c>: the same words, and a folder that is right whatever happened to it.</summary>
public sealed class PackCacheTests : IDisposable
{
    private static readonly string[] _run = ["run", "--raw", "--prompt", "Once upon a time", "--temperature", "0", "--max-tokens", "40"];

    private readonly DirectoryInfo _parent = Directory.CreateTempSubdirectory("hadal-pack-");

    private string Folder => Path.Combine(_parent.FullName, "made", "if need be");

    [Fact]
    public async Task Run_WithAFolder_SaysTheSame()
    {
        SkipWithoutInstructions();
        string expected = (await HadalProcess.RunAsync(_run)).ExpectSuccess().Output;
        // Empty, then by two at once that fill what is half there, then full, then damaged.
        Assert.Equal(expected, (await RunAsync()).Output);
        string[] files = Directory.GetFiles(Folder);
        Assert.NotEmpty(files);
        Array.ForEach(files[..(files.Length / 2)], File.Delete);
        foreach (HadalProcess both in await Task.WhenAll(RunAsync(), RunAsync()))
        {
            Assert.Equal(expected, both.Output);
            Assert.DoesNotContain(".pack", both.Error);
        }

        Assert.Equal(files.Order(), Directory.GetFiles(Folder).Order());
        HadalProcess full = await RunAsync();
        Assert.Equal(expected, full.Output);
        Assert.DoesNotContain(".pack", full.Error);
        await File.WriteAllTextAsync(files[0], "no weights", TestContext.Current.CancellationToken);
        HadalProcess damaged = await RunAsync();
        Assert.Equal(expected, damaged.Output);
        Assert.Contains(files[0] + ": has 10 bytes, expected", damaged.Error);
        Assert.DoesNotContain("error:", damaged.Error);
    }

    [Fact]
    public async Task Run_FolderThatCannotBeMade_WarnsAndAnswers()
    {
        SkipWithoutInstructions();
        string file = Path.Combine(_parent.FullName, "file");
        await File.WriteAllTextAsync(file, "x", TestContext.Current.CancellationToken);
        HadalProcess run = (await HadalProcess.RunAsync([.. _run, "--pack-cache", Path.Combine(file, "below")])).ExpectSuccess();
        Assert.Single(run.Error.Split('\n'), l => l.Contains("cannot be written", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("run")]
    [InlineData("serve")]
    [InlineData("bench")]
    [InlineData("logits")]
    [InlineData("eval")]
    public async Task Verb_FileForTheFolder_IsRefused(string verb)
    {
        string file = Path.Combine(_parent.FullName, "file");
        await File.WriteAllTextAsync(file, "x", TestContext.Current.CancellationToken);
        foreach ((string value, string said) in new[] { (file, "is a file"), ("", "path of a folder") })
        {
            HadalProcess wrong = await HadalProcess.RunAsync(verb, "--pack-cache", value);
            Assert.Equal(2, wrong.ExitCode);
            Assert.Contains("--pack-cache", wrong.Error);
            Assert.Contains(said, wrong.Error);
        }
    }

    public void Dispose() => _parent.Delete(recursive: true);

    private static void SkipWithoutInstructions()
        => Assert.SkipUnless(CpuFeatures.Detect() is { Avx512Vnni: true, Avx512Bf16: true }, "this machine has no such instructions, or they are switched off");

    private async Task<HadalProcess> RunAsync() => (await HadalProcess.RunAsync([.. _run, "--pack-cache", Folder])).ExpectSuccess();
}
