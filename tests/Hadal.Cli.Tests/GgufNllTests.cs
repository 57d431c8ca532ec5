using System.Text;
using System.Text.Json;
using Hadal.Formats.Npy;
using Hadal.Formats.Safetensors;
using Hadal.Jit;
using Hadal.Numerics;
using Hadal.TestKit.Gguf;

namespace Hadal.Cli.Tests;

/// <summary>The demo model as GGUF files of 8 and 4 bit: how well they predict the held-out text, and what rounding activations adds to that.</summary>
/// <remarks>docs/kernels/packed.md has the numbers of the whole text.</remarks>
public sealed class GgufNllTests(GgufNllTests.Rows rows) : IClassFixture<GgufNllTests.Rows>
{
    private static readonly string _heldOut = Path.Combine(Repository.Goldens, "demo", "heldout_ids.npy");

    // Plain nearest values. Over FP8, on the whole text: Q8_0 0.0010, Q4_0 0.0162, Q4_1 0.0199, Q4_K 0.0038 (of this model its file is Q5_0 but for one matrix:
    // rows of 384, 192, 128, 96 and 64 are not whole blocks of 256). Q4_1 is here for the kernel that Q4_K shares.
    [Theory]
    [InlineData(DType.Q8_0, "Int8Group32.", 0.01)]
    [InlineData(DType.Q4_0, "Int4Group32.", 0.05)]
    [InlineData(DType.Q4_1, "Int4Group32Min.", 0.05)]
    [InlineData(DType.Q4_K, "Int4Group32Min.", 0.05)]
    public async Task Eval_DemoAsGguf_LosesLittleByWeightsAndLessByActivations(DType type, string kernel, double bound)
    {
        string demo = Path.Combine(Repository.Root, "models", "demo");
        string gguf = Path.Combine(rows.Folder.FullName, $"{type}.gguf");
        using (SafetensorsCheckpoint source = SafetensorsCheckpoint.Open(demo))
        using (JsonDocument config = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(demo, "config.json"), TestContext.Current.CancellationToken)))
        {
            GgufConverter.Convert(source, config.RootElement, new GgufConversion { WeightType = type }).Write(gguf);
        }

        if (CpuFeatures.Detect() is { Avx512Vnni: true, Avx512Bf16: true })
        {
            Assert.Contains(kernel, (await HadalProcess.RunAsync("explain", "--asm", gguf)).ExpectSuccess().Output, StringComparison.Ordinal);
        }

        double exact = await NllAsync("f32", rows.Path, gguf);
        double packed = await NllAsync("auto", rows.Path, gguf);
        // What rounding activations costs; on the whole text 0.0008 at most.
        Assert.InRange(packed - exact, -0.01, 0.01);
        Assert.InRange(packed - rows.Fp8Nll, -0.01, bound);
        if (type == DType.Q8_0)
        {
            using JsonDocument expected = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(Repository.Goldens, "demo", "heldout_expected.json"), TestContext.Current.CancellationToken));
            double reference = expected.RootElement.GetProperty("nll_fp8_weights").GetDouble();
            Assert.InRange(await NllAsync("auto", _heldOut, gguf), reference - 0.01, reference + 0.01);
        }
    }

    private static async Task<double> NllAsync(string dtype, string ids, params string[] model)
    {
        HadalProcess eval = (await HadalProcess.RunAsync(["eval", .. model, "--ids", ids, "--json", "--dtype", dtype])).ExpectSuccess();
        using JsonDocument report = JsonDocument.Parse(eval.Output);
        return report.RootElement.GetProperty("nll").GetDouble();
    }

    /// <summary>Some rows of the held-out text, for time's sake, and what the FP8 model itself makes of them.</summary>
    public sealed class Rows : IAsyncLifetime
    {
        private const int NumRows = 8;
        private const int RowTokens = 512;

        public DirectoryInfo Folder { get; } = Directory.CreateTempSubdirectory("hadal-gguf-nll-");

        public string Path => System.IO.Path.Combine(Folder.FullName, "some.npy");

        public double Fp8Nll { get; private set; }

        public async ValueTask InitializeAsync()
        {
            Write();
            Fp8Nll = await NllAsync("f32", Path);
        }

        public ValueTask DisposeAsync()
        {
            Folder.Delete(recursive: true);
            return ValueTask.CompletedTask;
        }

        private void Write()
        {
            ReadOnlySpan<long> ids = NpyArray.Read(_heldOut).Values[..(NumRows * RowTokens)];
            string header = $"{{'descr': '<u2', 'fortran_order': False, 'shape': ({NumRows}, {RowTokens}), }}".PadRight(117) + "\n";
            using var w = new BinaryWriter(File.Create(Path));
            w.Write([0x93, .. "NUMPY"u8, 1, 0]);
            w.Write((ushort)header.Length);
            w.Write(Encoding.ASCII.GetBytes(header));
            foreach (long id in ids)
            {
                w.Write(checked((ushort)id));
            }
        }
    }
}
