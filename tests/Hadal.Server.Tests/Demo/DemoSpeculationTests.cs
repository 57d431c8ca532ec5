using System.Text.Json;
using System.Text.Json.Nodes;
using Hadal.Demo;
using Hadal.Engine;
using Hadal.Formats.Chat;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Tokenization;
using Hadal.Graph.Cpu;
using Hadal.Graph.Execution;
using Hadal.Graph.Passes;
using Hadal.Jit;
using Hadal.Models.Loading;
using Hadal.Numerics;

namespace Hadal.Server.Tests.Demo;

/// <summary>Speculation on a trained model: its own MTP layer, prompt lookup, and a draft model give the answers there are without.</summary>
public sealed class DemoSpeculationTests
{
    private const int NumPrompts = 32;
    private const int AnswerTokens = 40;

    /// <summary>
    /// What lossless verification rests on: a token's logits have the same bits when it is computed behind others of its sequence in one step as in a step of
    /// its own. The emitted kernels promise it; those that compute with weights as they lie sum short and long steps in different orders.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void VerifyRows_HaveTheBitsOfDecodeRows(bool pack)
    {
        SkipUnlessPackable(pack);
        using Checkpoint checkpoint = DemoModel.Open();
        using LoadedModel model = Load(checkpoint, pack);
        IModelRunner runner = model.Runner;
        int[] ids = [.. Prompts(checkpoint).SelectMany(p => p.Tokens).Take(600)];
        int[] table = [.. Enumerable.Range(0, (ids.Length / runner.BlockSize) + 1)];
        using var batch = new StepBatch(runner.BlockSize);
        int vocab = runner.VocabSize;
        var alone = new float[ids.Length][];
        for (int p = 0; p < ids.Length; p++)
            alone[p] = Run(p, 1);
        // The pages hold what steps of one token wrote; each verification writes the same bits again.
        var random = new Random(3);
        for (int p = 1; p < ids.Length - 8; p += random.Next(1, 12))
        {
            int n = random.Next(2, 8);
            float[] rows = Run(p, n);
            for (int i = 0; i < n; i++)
            {
                if (pack)
                    Assert.True(rows.AsSpan(i * vocab, vocab).SequenceEqual(alone[p + i]), $"row {i} of {n} at {p} has other bits");
                for (int v = 0; v < vocab; v++)
                    Assert.True(Math.Abs(rows[(i * vocab) + v] - alone[p + i][v]) < 1e-3, $"row {i} of {n} at {p}, logit {v}: {rows[(i * vocab) + v]} and {alone[p + i][v]}");
            }
        }

        float[] Run(int position, int count)
        {
            batch.Reset(1, table.Length);
            batch.AddSequence(ids.AsSpan(position, count), position, table, LogitsWanted.All);
            return runner.Run(batch).ToArray();
        }
    }

    public static TheoryData<string, int, bool> Methods()
    {
        var data = new TheoryData<string, int, bool>();
        data.Add("mtp", 2, false);
        data.Add("ngram", 3, true);
        data.Add("draft", 3, true);
        for (int depth = 1; depth <= 4; depth++)
            data.Add("mtp", depth, true);
        return data;
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public async Task Answers_ToManyPrompts_AreThoseWithoutSpeculation(string method, int depth, bool pack)
    {
        SkipUnlessPackable(pack);
        using Checkpoint checkpoint = DemoModel.Open();
        Prompt[] prompts = Prompts(checkpoint);
        (int[][] plain, _) = await AnswerAsync(null);
        using LoadedModel? draft = method == "draft" ? Load(checkpoint, pack) : null;
        (int[][] speculative, SpeculationStats? stats) = await AnswerAsync(new SpeculationOptions
        {
            Method = method switch { "ngram" => SpeculationMethod.Ngram, "mtp" => SpeculationMethod.Mtp, _ => SpeculationMethod.DraftModel },
            MaxDraftTokens = depth,
            Adaptive = false,
            DraftModel = draft?.Runner,
        });
        int different = 0;
        for (int i = 0; i < plain.Length; i++)
        {
            bool same = plain[i].AsSpan().SequenceEqual(speculative[i]);
            Assert.True(same || !pack, $"answer {i} differs: {string.Join(' ', plain[i])} / {string.Join(' ', speculative[i])}");
            different += same ? 0 : 1;
        }

        // Without emitted kernels a near tie may fall the other way, as it may in another batch.
        Assert.True(different <= plain.Length / 10, $"{different} of {plain.Length} answers differ");
        Assert.False(stats!.HasFailed);
        double first = stats.AcceptedByPosition[0] / (double)stats.DraftedByPosition[0];
        // Over these prompts the layer was right 9 times of 10, the model about itself always (but where the two sum in another order).
        Assert.True(first > (method switch { "mtp" => 0.8, "draft" => 0.97, _ => 0.1 }), $"{first:P1} of the first guesses accepted");

        async Task<(int[][] Tokens, SpeculationStats? Stats)> AnswerAsync(SpeculationOptions? speculation)
        {
            LoadedModel model = Load(checkpoint, pack, mtp: speculation?.Method == SpeculationMethod.Mtp);
            // Chunked prompts, shared beginnings, several choices, and half of the answers sampled.
            await using var engine = new LlmEngine(model.Runner, new EngineOptions
            {
                MaxRunning = 8,
                MaxBatchedTokens = 48,
                EosTokenIds = checkpoint.Config.EosTokenIds,
                Speculation = speculation,
            });
            int[][][] answers = await Task.WhenAll(prompts.Select(async (p, i) =>
            {
                var sampling = new SamplingParams { Temperature = i % 2 == 0 ? 0 : 0.8f, TopP = 0.95f, Seed = (ulong)i, MaxTokens = AnswerTokens, N = i % 8 == 7 ? 2 : 1 };
                List<int>[] tokens = [.. Enumerable.Range(0, sampling.N).Select(_ => new List<int>())];
                await foreach (GenerationEvent e in engine.GenerateAsync(new GenerationRequest { Id = "test", PromptTokens = p.Tokens, Sampling = sampling }, TestContext.Current.CancellationToken))
                {
                    Assert.Null(e.Error);
                    if (e.TokenId >= 0)
                        tokens[e.ChoiceIndex].Add(e.TokenId);
                }

                return tokens.Select(t => t.ToArray()).ToArray();
            }));
            return ([.. answers.SelectMany(a => a)], engine.GetStats().Speculation);
        }
    }

    [Fact]
    public void Mtp_FusedAndUnfused_GivesTheSameLogits()
    {
        using Checkpoint checkpoint = DemoModel.Open();
        float[] fused = Logits("default");
        float[] unfused = Logits("none");
        for (int i = 0; i < fused.Length; i++)
            Assert.True(Math.Abs(fused[i] - unfused[i]) < 2e-3, $"logit {i}: {fused[i]} and {unfused[i]}");

        float[] Logits(string fusion)
        {
            using LoadedModel model = Load(checkpoint, pack: false, mtp: true, fusion);
            var runner = (IMtpRunner)model.Runner;
            int[] ids = [.. Prompts(checkpoint)[0].Tokens, .. Prompts(checkpoint)[1].Tokens];
            using var batch = new StepBatch(runner.BlockSize);
            int[] table = [3, 1, 2, 0, 7, 6];
            batch.Reset(1, table.Length);
            batch.AddSequence(ids.AsSpan(..^1), 0, table, LogitsWanted.Last);
            runner.Run(batch);
            batch.Reset(1, table.Length);
            batch.AddSequence(ids.AsSpan(1..), 0, table, LogitsWanted.All);
            float[] first = runner.RunMtp(batch, [.. Enumerable.Range(0, ids.Length - 1)], again: false).ToArray();
            batch.Reset(1, table.Length);
            batch.AddSequence(ids.AsSpan(0, 1), ids.Length - 1, table, LogitsWanted.Last);
            return [.. first, .. runner.RunMtp(batch, [ids.Length - 2], again: true)];
        }
    }

    [Fact]
    public void Mtp_InTheSteadyState_AllocatesNothing()
    {
        using Checkpoint checkpoint = DemoModel.Open();
        // One thread: what is counted is this one's.
        using LoadedModel model = ModelLoader.Load(
            checkpoint.Config, checkpoint.Tensors, new LoadOptions { Mtp = true, MaxSequences = 4, Cpu = new CpuOptions { Threads = 1 } }, cancellationToken: TestContext.Current.CancellationToken);
        var runner = (IMtpRunner)model.Runner;
        using var batch = new StepBatch(runner.BlockSize);
        int[] table = [0, 1, 2, 3, 4, 5, 6, 7];
        int[] rows = [0];
        int[] ids = [5];
        long allocated = -1;
        for (int round = 0; round < 40 && allocated != 0; round++)
        {
            Thread.Yield();
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int p = 0; p < 60; p++)
            {
                Step(p, null);
                Step(p, false);
                Step(p + 1, true);
            }

            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Assert.True(allocated == 0, $"{allocated} bytes in 60 steps");

        void Step(int position, bool? again)
        {
            batch.Reset(1, table.Length);
            batch.AddSequence(ids, position, table, LogitsWanted.Last);
            if (again is { } own)
                runner.RunMtp(batch, rows, own);
            else
                runner.Run(batch);
        }
    }

    [Fact]
    public void Mtp_OfAModelWithoutTheLayer_IsRefused()
    {
        using Checkpoint checkpoint = DemoModel.Open();
        using LoadedModel plain = Load(checkpoint, pack: false);
        Assert.False(((IMtpRunner)plain.Runner).HasMtp);
        HadalException e = Assert.Throws<HadalException>(() => new LlmEngine(plain.Runner, new EngineOptions { Speculation = new() { Method = SpeculationMethod.Mtp } }));
        Assert.Contains("MTP layer", e.Message, StringComparison.Ordinal);
        HadalException none = Assert.Throws<HadalException>(() => ModelLoader.Load(checkpoint.Config with { NumNextnPredictLayers = 0 }, checkpoint.Tensors, new LoadOptions { Mtp = true }, cancellationToken: TestContext.Current.CancellationToken));
        Assert.Contains("num_nextn_predict_layers = 0", none.Message, StringComparison.Ordinal);
    }

    private static void SkipUnlessPackable(bool pack)
        => Assert.SkipUnless(!pack || CpuFeatures.Detect() is { Avx512Vnni: true, Avx512Bf16: true }, "this machine has no such instructions, or they are switched off");

    private static LoadedModel Load(Checkpoint checkpoint, bool pack, bool mtp = false, string fusion = "default")
        => ModelLoader.Load(checkpoint.Config, checkpoint.Tensors, new LoadOptions
        {
            Fusion = FusionPlan.Parse(fusion),
            Mtp = mtp,
            NumBlocks = 512,
            Cpu = new CpuOptions { Threads = 2, Pack = pack, KvDType = pack ? DType.Bf16 : DType.F32, Preload = false },
        });

    private static Prompt[] Prompts(Checkpoint checkpoint)
    {
        ITokenizer tokenizer = CheckpointText.LoadTokenizer(checkpoint);
        IChatTemplate template = CheckpointText.LoadChatTemplate(checkpoint)!;
        return [.. File.ReadLines(Path.Combine(AppContext.BaseDirectory, "goldens", "demo", "qa.jsonl")).Take(NumPrompts).Select(line =>
        {
            using var json = JsonDocument.Parse(line);
            string text = json.RootElement.GetProperty("prompt").GetString()!;
            return new Prompt(tokenizer.Encode(template.Render([new JsonObject { ["role"] = "user", ["content"] = text }], addGenerationPrompt: true)));
        })];
    }

    private sealed record Prompt(int[] Tokens);
}
