using Hadal.Formats.Checkpoints;
using Hadal.Formats.Lora;
using Hadal.Graph.Cpu;
using Hadal.Graph.Cuda;
using Hadal.Graph.Execution;
using Hadal.Graph.Ir;
using Hadal.Graph.Ir.Ops;
using Hadal.Graph.Passes;
using Hadal.Models.Loading;
using Hadal.Numerics;

namespace Hadal.Models.Tests.Lora;

/// <summary>A base with an adapter beside it computes what the base with the adapter merged into its weights does, for every family; and rows without an adapter keep every bit.</summary>
public sealed class LoraTests
{
    private const float Bar = 2e-3f;

    public static TheoryData<string, string, DType, bool> Cases()
    {
        var data = new TheoryData<string, string, DType, bool>();
        foreach (string family in Golden.Families)
        {
            data.Add(family, "default", DType.F32, false);
            data.Add(family, "default", DType.Bf16, true);
            data.Add(family, "none", DType.F16, false);
            data.Add(family, "default,-gate-up,-join-projections", DType.F32, true);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Logits_BesideTheBase_AreThoseOfMergedWeights(string family, string fusion, DType dtype, bool rslora)
    {
        using Checkpoint checkpoint = Open(family);
        using var folder = new AdapterFolder("a", Targets(checkpoint, withKvB: fusion != "none"), seed: 1, dtype, rslora);
        using LoraFile file = folder.Open();
        using LoadedModel model = Load(checkpoint, checkpoint.Tensors, fusion, [file]);
        using var merged = new MergedTensors(checkpoint.Tensors, checkpoint.Config.Fp8BlockSize, folder);
        using LoadedModel expected = Load(checkpoint, merged, fusion, []);
        int[] prompt = Prompt(3, 23, checkpoint.Config.VocabSize);
        float[] whole = Run(expected, [(prompt, 0)], 100)[0];
        Assert.InRange(Worst(Run(model, [(prompt, 1)], 100)[0], whole), 0, Bar);
        Assert.InRange(Worst(Run(model, [(prompt, 1)], 7)[0], whole), 0, Bar);

        // And it changes something.
        Assert.True(Worst(Run(model, [(prompt, 0)], 100)[0], whole) > 20 * Bar);
    }

    public static TheoryData<string, bool> Packed()
    {
        var data = new TheoryData<string, bool>();
        foreach (string family in Golden.Families)
        {
            data.Add(family, false);
            data.Add(family, true);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Packed))]
    public void Step_OfSeveralAdapters_GivesEachWhatItGetsAloneAndTheBaseItsBits(string family, bool pack)
    {
        using Checkpoint checkpoint = Open(family);
        (string, int, int)[] targets = Targets(checkpoint, withKvB: true);
        using var a = new AdapterFolder("a", targets, seed: 1);
        using var b = new AdapterFolder("b", targets.Where((_, i) => i % 3 == 1), seed: 2, DType.Bf16, rslora: true);
        using LoraFile fileA = a.Open();
        using LoraFile fileB = b.Open();
        using LoadedModel model = Load(checkpoint, checkpoint.Tensors, "default", [fileA, fileB], pack);
        // The same program without adapters: they have gate and up apart.
        using LoadedModel plain = Load(checkpoint, checkpoint.Tensors, "default,-gate-up", [], pack);
        int vocab = checkpoint.Config.VocabSize;
        (int[] Prompt, int Adapter)[] rows = [(Prompt(1, 17, vocab), 0), (Prompt(2, 17, vocab), 1), (Prompt(3, 17, vocab), 2), (Prompt(4, 17, vocab), 1), (Prompt(1, 17, vocab), 1)];
        float[][] together = Run(model, rows, 6);
        for (int i = 0; i < rows.Length; i++)
        {
            Assert.Equal(Run(rows[i].Adapter == 0 ? plain : model, [rows[i]], 6)[0], together[i]);
        }

        Assert.NotEqual(together[0], together[4]);
    }

    [Fact]
    public void Load_OfLlamaFromGguf_ReordersTheRowsOfQAndK()
    {
        // A reordered base: q and k as llama.cpp's converter writes them, with the rotation that goes with them.
        using Checkpoint checkpoint = Open("llama");
        using var folder = new AdapterFolder("a", Targets(checkpoint, withKvB: false), seed: 5);
        using LoraFile file = folder.Open();
        using LoadedModel model = Load(checkpoint, checkpoint.Tensors, "default", [file]);
        using var reordered = new ReorderedTensors(checkpoint);
        using LoadedModel other = ModelLoader.Load(
            checkpoint.Config with { Rope = checkpoint.Config.Rope with { Interleaved = true } },
            reordered,
            new LoadOptions { Cpu = new CpuOptions { Threads = 2, BlockSize = 4 }, MaxContextLen = 128, MaxSequences = 8, Adapters = [file] },
            cancellationToken: TestContext.Current.CancellationToken);
        int[] prompt = Prompt(3, 23, checkpoint.Config.VocabSize);
        Assert.InRange(Worst(Run(other, [(prompt, 0)], 100)[0], Run(model, [(prompt, 0)], 100)[0]), 0, 1e-3f);
        Assert.InRange(Worst(Run(other, [(prompt, 1)], 100)[0], Run(model, [(prompt, 1)], 100)[0]), 0, 1e-3f);
    }

    [Theory]
    [InlineData("deepseek_v3", "lm_head.weight", "head")]
    [InlineData("deepseek_v3", "model.embed_tokens.weight", "embeddings")]
    [InlineData("deepseek_v3", "model.layers.1.mlp.experts.0.gate_proj.weight", "routed experts")]
    [InlineData("deepseek_v3", "model.layers.1.mlp.gate.weight", "routers")]
    [InlineData("llama", "model.layers.77.self_attn.q_proj.weight", "does not have")]
    [InlineData("qwen2", "model.layers.0.self_attn.q_a_proj.weight", "does not have")]
    public void Load_OfWhatCannotBeChanged_IsRefusedByName(string family, string weight, string why)
    {
        using Checkpoint checkpoint = Open(family);
        int rows = checkpoint.Tensors.TryGet(weight, out StoredTensor? t) ? (int)t.Shape[0] : 8;
        using var folder = new AdapterFolder("a", [(weight, rows, t is null ? 8 : (int)t.Shape[1])], seed: 1);
        using LoraFile file = folder.Open();
        HadalException e = Assert.Throws<HadalException>(() => Load(checkpoint, checkpoint.Tensors, "default", [file]));
        Assert.Contains(why, e.Message, StringComparison.Ordinal);
        Assert.Contains(weight[..^".weight".Length], e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_OfOtherShapesNamesOrDevices_IsRefused()
    {
        using Checkpoint checkpoint = Open("llama");
        const string q = "model.layers.0.self_attn.q_proj.weight";
        Assert.True(checkpoint.Tensors.TryGet(q, out StoredTensor? t));
        using var wrong = new AdapterFolder("a", [(q, (int)t.Shape[0] + 1, (int)t.Shape[1])], seed: 1);
        using LoraFile wrongFile = wrong.Open();
        Assert.Contains("another base model", Assert.Throws<HadalException>(() => Load(checkpoint, checkpoint.Tensors, "default", [wrongFile])).Message, StringComparison.Ordinal);

        using var right = new AdapterFolder("a", [(q, (int)t.Shape[0], (int)t.Shape[1])], seed: 1);
        using LoraFile file = right.Open();
        Assert.Contains("Two adapters", Assert.Throws<HadalException>(() => Load(checkpoint, checkpoint.Tensors, "default", [file, file])).Message, StringComparison.Ordinal);
        var card = new LoadOptions { Cuda = new CudaOptions(), Adapters = [file] };
        Assert.Contains("run on the CPU", Assert.Throws<HadalException>(() => ModelLoader.Load(checkpoint.Config, checkpoint.Tensors, card, cancellationToken: TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);

        using Checkpoint v3 = Open("deepseek_v3");
        Assert.True(v3.Tensors.TryGet("model.layers.0.self_attn.kv_b_proj.weight", out StoredTensor? kvB));
        using var latent = new AdapterFolder("a", [("model.layers.0.self_attn.kv_b_proj.weight", (int)kvB.Shape[0], (int)kvB.Shape[1])], seed: 1);
        using LoraFile latentFile = latent.Open();
        Assert.Contains("mla-absorption", Assert.Throws<HadalException>(() => Load(v3, v3.Tensors, "none", [latentFile])).Message, StringComparison.Ordinal);
    }

    internal static Checkpoint Open(string family) => Checkpoint.Open(Path.Combine(AppContext.BaseDirectory, "goldens", "models", family));

    internal static LoadedModel Load(Checkpoint checkpoint, ITensorSource source, string fusion, LoraFile[] adapters, bool pack = false)
        => ModelLoader.Load(checkpoint.Config, source, new LoadOptions
        {
            Fusion = FusionPlan.Parse(fusion),
            Cpu = new CpuOptions { Threads = 2, BlockSize = 4, Pack = pack, KvDType = pack ? DType.Bf16 : DType.F32 },
            MaxContextLen = 128,
            MaxSequences = 8,
            Adapters = adapters,
        });

    /// <summary>Every matrix that an adapter may change.</summary>
    internal static (string Name, int Rows, int Columns)[] Targets(Checkpoint checkpoint, bool withKvB)
    {
        (ModelGraph graph, _) = ModelLoader.BuildGraph(checkpoint.Config, FusionPlan.None);
        IEnumerable<WeightSpec> linear = graph.Nodes.Where(n => n.Op is LinearOp && n.Output.Rows == RowSymbol.Tokens).SelectMany(n => n.Op.Weights).Where(w => !w.IsVector && !w.KeepPrecision);
        IEnumerable<WeightSpec> kvB = withKvB ? graph.Nodes.Select(n => n.Op).OfType<MlaAttentionOp>().Select(o => o.KvB) : [];
        return [.. linear.Concat(kvB).Select(w => (w.Name, w.Rows, w.Columns))];
    }

    internal static int[] Prompt(int seed, int length, int vocab)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(vocab))];
    }

    /// <summary>All logits of each row, computed side by side in chunks.</summary>
    internal static float[][] Run(LoadedModel model, (int[] Prompt, int Adapter)[] rows, int chunk)
    {
        int vocab = model.Config.VocabSize;
        int length = rows[0].Prompt.Length;
        float[][] all = [.. rows.Select(r => new float[r.Prompt.Length * vocab])];
        using var batch = new StepBatch(4);
        for (int from = 0; from < length; from += chunk)
        {
            int n = Math.Min(chunk, length - from);
            batch.Reset(rows.Length, 16);
            for (int r = 0; r < rows.Length; r++)
            {
                batch.AddSequence(rows[r].Prompt.AsSpan(from, n), from, [.. Enumerable.Range(0, 16).Select(i => (i * rows.Length) + r)], LogitsWanted.All, rows[r].Adapter);
            }

            ReadOnlySpan<float> logits = model.Runner.Run(batch);
            for (int r = 0; r < rows.Length; r++)
            {
                logits.Slice(r * n * vocab, n * vocab).CopyTo(all[r].AsSpan(from * vocab));
            }
        }

        return all;
    }

    internal static float Worst(float[] actual, float[] expected)
    {
        Assert.Equal(expected.Length, actual.Length);
        float worst = 0;
        for (int i = 0; i < actual.Length; i++)
        {
            float d = MathF.Abs(actual[i] - expected[i]);
            worst = float.IsNaN(d) ? float.PositiveInfinity : Math.Max(worst, d);
        }

        return worst;
    }
}
