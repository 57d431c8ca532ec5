using Hadal.Formats.Config;
using Hadal.Graph.Cpu;
using Hadal.Graph.Cpu.Packing;
using Hadal.Graph.Execution;
using Hadal.Jit;
using Hadal.Models.Loading;
using Hadal.Models.Synthetic;
using Hadal.Numerics;

namespace Hadal.Models.Tests;

/// <summary>A model whose packed weights come from the cache computes the bits that it computes without.</summary>
public sealed class PackCacheTests : IDisposable
{
    private readonly DirectoryInfo _parent = Directory.CreateTempSubdirectory("hadal-pack-");
    private readonly List<string> _notices = [];

    private string Folder => Path.Combine(_parent.FullName, "cache");

    public static TheoryData<string, WeightConversion> Families()
    {
        var data = new TheoryData<string, WeightConversion>();
        foreach (string family in Golden.Families)
        {
            data.Add(family, WeightConversion.AsStored);
            data.Add(family, WeightConversion.Int8);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Logits_OfEveryFamily_AreBitEqualWithAndWithout(string family, WeightConversion weights)
    {
        SkipWithoutInstructions();
        float[] expected = Logits(family, Options(null) with { Weights = weights }, out PackCacheUse? none);
        Assert.Null(none);
        Assert.Equal(expected, Logits(family, Options(Folder) with { Weights = weights }, out PackCacheUse? cold));
        Assert.True(cold is { NumPacked: > 0, NumRead: 0 }, $"{cold}");
        Assert.Equal(cold.Value.NumWritten, Directory.GetFiles(Folder).Length);
        Assert.Equal(expected, Logits(family, Options(Folder) with { Weights = weights }, out PackCacheUse? warm));
        Assert.Equal(new PackCacheUse(cold.Value.NumPacked, 0, 0), warm);
        Assert.Empty(_notices);
    }

    /// <summary>Experts, gate and up, joined projections and latent heads, in every type that is packed.</summary>
    [Theory]
    [InlineData(DType.Bf16)]
    [InlineData(DType.I8)]
    [InlineData(DType.F8E4M3)]
    [InlineData(DType.Q8_0)]
    [InlineData(DType.Q6_K)]
    [InlineData(DType.Q5_0)]
    [InlineData(DType.Q5_1)]
    [InlineData(DType.Q5_K)]
    [InlineData(DType.Q4_0)]
    [InlineData(DType.Q4_1)]
    [InlineData(DType.Q4_K)]
    public void Logits_OfEveryType_AreBitEqualWithAndWithout(DType dtype)
    {
        SkipWithoutInstructions();
        float[] expected = Logits(dtype, null, out _);
        Assert.Equal(expected, Logits(dtype, Folder, out PackCacheUse? cold));
        // Made-up experts have the same bytes and so one file; those of the families above differ.
        Assert.True(cold is { NumWritten: > 8 } && cold.Value.NumPacked + cold.Value.NumRead > 60, $"{cold}");
        Assert.Equal(expected, Logits(dtype, Folder, out PackCacheUse? warm));
        Assert.Equal(0, warm!.Value.NumPacked);
        Assert.Empty(_notices);
    }

    [Fact]
    public void Logits_OfAnotherConversion_AreNotThoseKept()
    {
        SkipWithoutInstructions();
        Logits("llama", Options(Folder), out _);
        float[] expected = Logits("llama", Options(null) with { Weights = WeightConversion.Int8 }, out _);
        Assert.Equal(expected, Logits("llama", Options(Folder) with { Weights = WeightConversion.Int8 }, out PackCacheUse? use));
        Assert.Equal(0, use!.Value.NumRead);
    }

    [Fact]
    public void Load_EveryFileDamaged_SaysSoAndRepairs()
    {
        SkipWithoutInstructions();
        float[] expected = Logits("deepseek_v3_fp8", Options(Folder), out _);
        string[] files = Directory.GetFiles(Folder);
        for (int i = 0; i < files.Length; i++)
        {
            using var stream = new FileStream(files[i], FileMode.Open);
            stream.Position = stream.Length * (i + 1) / (files.Length + 2);
            int b = stream.ReadByte();
            stream.Position--;
            stream.WriteByte((byte)(b ^ 16));
        }

        Assert.Equal(expected, Logits("deepseek_v3_fp8", Options(Folder), out PackCacheUse? use));
        Assert.Equal(files.Length, use!.Value.NumWritten);
        Assert.All(files, f => Assert.Contains(_notices, n => n.Contains(f, StringComparison.Ordinal)));
        _notices.Clear();
        Assert.Equal(expected, Logits("deepseek_v3_fp8", Options(Folder), out use));
        Assert.Equal(0, use!.Value.NumPacked);
        Assert.Empty(_notices);
    }

    [Fact]
    public void Load_CacheThatCannotBeWritten_WarnsOnce()
    {
        SkipWithoutInstructions();
        File.WriteAllText(Folder, "a file where the folder should be");
        float[] expected = Logits("qwen2", Options(null), out _);
        Assert.Equal(expected, Logits("qwen2", Options(Folder), out _));
        Assert.Contains("cannot be written", Assert.Single(_notices), StringComparison.Ordinal);
    }

    [Fact]
    public void Load_Cancelled_LeavesWholeFilesAlone()
    {
        SkipWithoutInstructions();
        using var stop = new CancellationTokenSource();
        var progress = new Stopper(stop, after: 12);
        ModelConfig config = Small();
        using (var weights = new SyntheticTensors(ModelCatalog.Find(config).Build(config), DType.Q8_0))
        {
            Assert.ThrowsAny<OperationCanceledException>(() => ModelLoader.Load(config, weights, Load(Folder), progress, stop.Token));
        }

        Assert.All(Directory.Exists(Folder) ? Directory.GetFiles(Folder) : [], f => Assert.EndsWith(".pack", f, StringComparison.Ordinal));
        Assert.Equal(Logits(DType.Q8_0, null, out _), Logits(DType.Q8_0, Folder, out _));
        Assert.Empty(_notices);
    }

    [Fact]
    public void Load_NothingPacked_SaysThatNothingIsKept()
    {
        Logits("qwen2", Options(Folder) with { Pack = false }, out PackCacheUse? use);
        Assert.Null(use);
        Assert.Contains("no weight is packed", Assert.Single(_notices), StringComparison.Ordinal);
        Assert.False(Directory.Exists(Folder));
    }

    public void Dispose() => _parent.Delete(recursive: true);

    private static void SkipWithoutInstructions()
        => Assert.SkipUnless(CpuFeatures.Detect() is { Avx512Vnni: true, Avx512Bf16: true }, "this machine has no such instructions, or they are switched off");

    private static ModelConfig Small()
    {
        ModelConfig config = SyntheticModels.Find("deepseek-v2-lite-small", 2);
        return config with { VocabSize = 512, Moe = config.Moe! with { NumRoutedExperts = 16 } };
    }

    private static float[] Logits(string family, CpuOptions options, out PackCacheUse? use)
    {
        using var golden = new Golden(family, "default", options);
        use = golden.Model.Cpu.Program.PackCacheUse;
        return golden.Prefill(golden.Rows, chunk: 7);
    }

    private float[] Logits(DType dtype, string? folder, out PackCacheUse? use)
    {
        ModelConfig config = Small();
        using var weights = new SyntheticTensors(ModelCatalog.Find(config).Build(config), dtype);
        using LoadedModel model = ModelLoader.Load(config with { Fp8BlockSize = weights.Fp8BlockSize }, weights, Load(folder), cancellationToken: TestContext.Current.CancellationToken);
        use = model.Cpu.Program.PackCacheUse;
        using var batch = new StepBatch(model.Runner.BlockSize);
        batch.Reset(1, 1);
        batch.AddSequence([1, 2, 3, 4], 0, [0], LogitsWanted.Last);
        return model.Runner.Run(batch).ToArray();
    }

    private LoadOptions Load(string? folder) => new() { MaxContextLen = 16, MaxSequences = 1, Cpu = Options(folder) };

    private CpuOptions Options(string? folder) => new() { Threads = 2, BlockSize = 4, Pack = true, KvDType = DType.Bf16, PackCache = folder, Notice = _notices.Add };

    private sealed class Stopper(CancellationTokenSource stop, int after) : IProgress<LoadProgress>
    {
        private int _seen;

        public void Report(LoadProgress value)
        {
            if (++_seen == after)
            {
                stop.Cancel();
            }
        }
    }
}
