using System.Runtime.InteropServices;
using Hadal.Formats.Safetensors;
using Hadal.Numerics;

namespace Hadal.Cli.Tests;

/// <summary>Parity as it is checked from outside.</summary>
public sealed class LogitsTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hadal-cli-");

    [Theory]
    [InlineData("deepseek_v2", "--fusion", "none")]
    [InlineData("deepseek_v2_lite", "--threads", "5")]
    [InlineData("deepseek_v3", "--chunk", "5")]
    [InlineData("deepseek_v3_fp8", "--threads", "1")]
    [InlineData("llama", "--block-size", "1")]
    [InlineData("qwen2", "--fusion", "default,-join-projections")]
    [InlineData("qwen2", "--fusion", "default,-gate-up")]
    [InlineData("deepseek_v3", "--fusion", "silu-mul,gate-up")]
    [InlineData("qwen3", "--chunk", "1")]
    public async Task Logits_OfGolden_AreWithinTheBar(string family, params string[] options)
    {
        string expected = Path.Combine(Repository.Model(family), "expected.safetensors");
        string output = Path.Combine(_folder.FullName, "logits.safetensors");
        (await HadalProcess.RunAsync(["logits", Repository.Model(family), "--input-ids", expected, "--output", output, .. options])).ExpectSuccess();
        Assert.InRange(Difference(output, expected).Worst, 0, 2e-3f);
    }

    [Fact]
    public async Task Logits_OfDemo_EqualTheReference()
    {
        string expected = Path.Combine(Repository.Goldens, "demo", "logits_fp8.safetensors");
        string output = Path.Combine(_folder.FullName, "logits.safetensors");
        (await HadalProcess.RunAsync("logits", "--input-ids", expected, "--output", output)).ExpectSuccess();
        Assert.InRange(Difference(output, expected).Worst, 0, 2e-3f);
    }

    [Theory]
    [InlineData("deepseek_v32")]
    [InlineData("deepseek_v4")]
    public async Task Logits_OfUnsupportedFamily_NamesWhatIsSupported(string family)
    {
        HadalProcess run = await HadalProcess.RunAsync("logits", Repository.Model(family), "--input-ids", Path.Combine(Repository.Model(family), "expected.safetensors"), "--output", Path.Combine(_folder.FullName, "x"));
        run.ExpectError(family, "deepseek_v3", "qwen3");
    }

    [Fact]
    public async Task Logits_WithoutInputIds_NamesTheTensorsThere()
    {
        string model = Path.Combine(Repository.Model("llama"), "model.safetensors");
        HadalProcess run = await HadalProcess.RunAsync("logits", Repository.Model("llama"), "--input-ids", model, "--output", Path.Combine(_folder.FullName, "x"));
        run.ExpectError("input_ids", "lm_head.weight");
    }

    [Theory]
    [InlineData(256, "256")]
    [InlineData(-1, "-1")]
    [InlineData(long.MaxValue, "ids go from 0 to 255")]
    public async Task Logits_IdOutOfRange_IsNamed(long id, string mention)
    {
        string ids = Path.Combine(_folder.FullName, "ids.safetensors");
        WriteIds(ids, [1, 2, id], DType.I64, [1, 3]);
        HadalProcess run = await HadalProcess.RunAsync("logits", Repository.Model("llama"), "--input-ids", ids, "--output", Path.Combine(_folder.FullName, "x"));
        run.ExpectError("input_ids[0, 2]", mention == "-1" ? "-1" : mention);
    }

    [Fact]
    public async Task Logits_RowLongerThanTheContext_SaysBothNumbers()
    {
        string ids = Path.Combine(_folder.FullName, "ids.safetensors");
        WriteIds(ids, new long[1025], DType.I64, [1, 1025]);
        HadalProcess run = await HadalProcess.RunAsync("logits", Repository.Model("llama"), "--input-ids", ids, "--output", Path.Combine(_folder.FullName, "x"));
        run.ExpectError("1025", "1024");
    }

    [Theory]
    [InlineData(DType.I32, 1, 6)]
    [InlineData(DType.I64, 3, 1)]
    public async Task Logits_InputIdsOfWrongTypeOrShape_AreRefused(DType dtype, int rows, int columns)
    {
        string ids = Path.Combine(_folder.FullName, "ids.safetensors");
        long[] shape = dtype == DType.I64 ? [rows] : [rows, columns];
        WriteIds(ids, new long[3], dtype, shape);
        HadalProcess run = await HadalProcess.RunAsync("logits", Repository.Model("llama"), "--input-ids", ids, "--output", Path.Combine(_folder.FullName, "x"));
        run.ExpectError("input_ids", "I64 [B, T]");
    }

    [Fact]
    public async Task Logits_OutputWhereNothingCanBeWritten_IsNamed()
    {
        string expected = Path.Combine(Repository.Model("llama"), "expected.safetensors");
        HadalProcess run = await HadalProcess.RunAsync("logits", Repository.Model("llama"), "--input-ids", expected, "--output", Path.Combine(_folder.FullName, "no", "such", "folder", "x"));
        run.ExpectError("cannot be written");
    }

    public void Dispose() => _folder.Delete(recursive: true);

    internal static void WriteIds(string path, long[] ids, DType dtype, long[] shape)
    {
        using NativeBuffer buffer = NativeBuffer.Of<long>(ids.Length);
        ids.CopyTo(buffer.Span<long>());
        SafetensorsWriter.Write(path, [new StoredTensor("input_ids", dtype, shape, buffer, "test")]);
    }

    /// <summary>Largest difference, and the mean one as a share of the expected logits' root mean square.</summary>
    internal static (float Worst, double MeanShare) Difference(string actual, string expected)
    {
        using SafetensorsFile a = SafetensorsFile.Open(actual);
        using SafetensorsFile e = SafetensorsFile.Open(expected);
        Assert.True(a.TryGet("logits", out StoredTensor? got));
        Assert.True(e.TryGet("logits", out StoredTensor? want));
        Assert.Equal(want.Shape, got.Shape);
        ReadOnlySpan<float> x = MemoryMarshal.Cast<byte, float>(got.Slice(0, (int)got.ByteLength));
        ReadOnlySpan<float> y = MemoryMarshal.Cast<byte, float>(want.Slice(0, (int)want.ByteLength));
        float worst = 0;
        double mean = 0;
        double square = 0;
        for (int i = 0; i < x.Length; i++)
        {
            float d = MathF.Abs(x[i] - y[i]);
            worst = float.IsNaN(d) ? float.PositiveInfinity : Math.Max(worst, d);
            mean += d / x.Length;
            square += (double)y[i] * y[i] / x.Length;
        }

        return (worst, mean / Math.Sqrt(square));
    }
}
