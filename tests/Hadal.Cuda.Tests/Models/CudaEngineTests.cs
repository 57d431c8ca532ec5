using Hadal.Engine;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Config;
using Hadal.Graph.Cuda;
using Hadal.Graph.Execution;
using Hadal.Kernels.Cuda;
using Hadal.Models.Loading;
using Hadal.Models.Synthetic;
using Hadal.Numerics;

namespace Hadal.Cuda.Tests.Models;

/// <summary>The engine over a card: batches, captured graphs, preemption, shared prefixes and cancellation change no token where they must not.</summary>
public sealed class CudaEngineTests(Gpu gpu)
{
    private const int BlockSize = 4;
    private const int AnswerTokens = 24;

    [Theory]
    [InlineData("llama")]
    [InlineData("qwen2")]
    [InlineData("deepseek_v2_lite")]
    [InlineData("deepseek_v3_fp8")]
    public async Task Deterministic_AloneAndAmong64_GiveTheSameTokens(string family)
    {
        using Checkpoint checkpoint = Open(family);
        using LoadedModel model = Load(checkpoint, numSequences: 64, deterministic: true);
        int[][] prompts = [.. Enumerable.Range(0, 64).Select(i => Prompt(i, 5 + (i % 23), checkpoint.Config.VocabSize))];
        int[][] together = await AnswersAsync(model, prompts, new EngineOptions { MaxRunning = 64, MaxBatchedTokens = 96 });
        foreach (int i in new[] { 0, 17, 63 })
        {
            int[][] alone = await AnswersAsync(model, [prompts[i]], new EngineOptions { MaxRunning = 1, MaxBatchedTokens = 7 });
            Assert.Equal(alone[0], together[i]);
        }
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("deepseek_v3")]
    public async Task Preemption_AndSharedPrefixes_ChangeNoToken(string family)
    {
        using Checkpoint checkpoint = Open(family);
        int[] beginning = Prompt(3, 24, checkpoint.Config.VocabSize);
        int[][] prompts = [.. Enumerable.Range(0, 12).Select(i => beginning.Concat(Prompt(100 + i, 1 + i, checkpoint.Config.VocabSize)).ToArray())];
        int[][] expected;
        using (LoadedModel roomy = Load(checkpoint, numSequences: 16, deterministic: true))
        {
            expected = await AnswersAsync(roomy, prompts, new EngineOptions { MaxRunning = 12, MaxBatchedTokens = 64, EnablePrefixCaching = false });
        }

        // Pages for two or three of the twelve.
        using LoadedModel tight = Load(checkpoint, numSequences: 3, deterministic: true, maxContext: 64);
        EngineStats stats = default!;
        int[][] actual = await AnswersAsync(tight, prompts, new EngineOptions { MaxRunning = 12, MaxBatchedTokens = 64 }, s => stats = s);
        Assert.Equal(expected, actual);
        Assert.True(stats.CachedPromptTokens > 0, "no prefix was shared");
        Assert.True(stats.Preemptions > 0, "nothing was preempted: the test says nothing");
    }

    [Fact]
    public async Task Cancellation_FreesThePages()
    {
        using Checkpoint checkpoint = Open("llama");
        using LoadedModel model = Load(checkpoint, numSequences: 8, deterministic: false);
        await using var engine = new LlmEngine(new BorrowedRunner(model.Runner), new EngineOptions { MaxRunning = 8 });
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            int seen = 0;
            await foreach (GenerationEvent e in engine.GenerateAsync(Request(Prompt(1, 9, checkpoint.Config.VocabSize), 200), cancel.Token))
            {
                if (++seen == 3)
                {
                    await cancel.CancelAsync();
                }
            }
        });
        // Another answer comes, and nothing is held afterwards.
        int tokens = 0;
        await foreach (GenerationEvent e in engine.GenerateAsync(Request(Prompt(2, 9, checkpoint.Config.VocabSize), 5), TestContext.Current.CancellationToken))
        {
            tokens += e.TokenId >= 0 ? 1 : 0;
        }

        Assert.Equal(5, tokens);
        EngineStats stats = engine.GetStats();
        Assert.Equal((0, 0), (stats.Running, stats.KvBlocksUsed));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void V2LiteInFp8_SeveralSequencesInAGraph_GivesNumbersLikeEagerLaunches(bool fp8Pages)
    {
        _ = gpu.Context;
        ModelConfig config = SyntheticModels.Find("deepseek-v2-lite", 3);
        float[] captured = DecodeV2Lite(config, graphs: true, fp8Pages);
        float[] eager = DecodeV2Lite(config, graphs: false, fp8Pages);
        Assert.All(captured, x => Assert.True(float.IsFinite(x)));
        Assert.Equal(eager, captured);
    }

    private static float[] DecodeV2Lite(ModelConfig config, bool graphs, bool fp8Pages)
    {
        using var source = new SyntheticTensors(ModelLoader.BuildGraph(config, Hadal.Graph.Passes.FusionPlan.None).Graph, DType.F8E4M3);
        using LoadedModel model = ModelLoader.Load(config with { Fp8BlockSize = source.Fp8BlockSize }, source, new LoadOptions
        {
            MaxContextLen = 256,
            MaxSequences = 8,
            Cuda = new CudaOptions { CaptureGraphs = graphs, KvDType = fp8Pages ? DType.F8E4M3 : DType.Bf16 },
        });
        using var batch = new StepBatch(model.Runner.BlockSize);
        List<float> all = [];
        foreach (int sequences in new[] { 3, 5, 8 })
        {
            // The third step of a shape replays what the second captured.
            for (int step = 0; step < 5; step++)
            {
                batch.Reset(sequences, 2);
                for (int s = 0; s < sequences; s++)
                {
                    batch.AddSequence([100 + (s * 7) + step], step, [2 * s, (2 * s) + 1], LogitsWanted.Last);
                }

                ReadOnlySpan<float> logits = model.Runner.Run(batch);
                Assert.Equal(sequences * config.VocabSize, logits.Length);
                all.AddRange(logits[..64]);
                all.AddRange(logits[^64..]);
            }
        }

        return [.. all];
    }

    private Checkpoint Open(string family)
    {
        // Skips where there is no card.
        _ = gpu.Context;
        return Checkpoint.Open(Path.Combine(AppContext.BaseDirectory, "goldens", "models", family));
    }

    private static LoadedModel Load(Checkpoint checkpoint, int numSequences, bool deterministic, int maxContext = 128)
        => ModelLoader.Load(checkpoint.Config, checkpoint.Tensors, new LoadOptions
        {
            MaxContextLen = maxContext,
            MaxSequences = numSequences,
            Cuda = new CudaOptions { BlockSize = BlockSize, Deterministic = deterministic, Target = CudaTarget.Auto, LoadThreads = 2 },
        });

    private static async Task<int[][]> AnswersAsync(LoadedModel model, int[][] prompts, EngineOptions options, Action<EngineStats>? stats = null)
    {
        await using var engine = new LlmEngine(new BorrowedRunner(model.Runner), options);
        int[][] answers = await Task.WhenAll(prompts.Select(async prompt =>
        {
            List<int> tokens = [];
            await foreach (GenerationEvent e in engine.GenerateAsync(Request(prompt, AnswerTokens), TestContext.Current.CancellationToken))
            {
                Assert.Null(e.Error);
                tokens.Add(e.TokenId);
            }

            return tokens.ToArray();
        }));
        stats?.Invoke(engine.GetStats());
        return answers;
    }

    private static GenerationRequest Request(int[] prompt, int tokens)
        => new() { Id = "test", PromptTokens = prompt, Sampling = new SamplingParams { Temperature = 0, MaxTokens = tokens, IgnoreEos = true } };

    private static int[] Prompt(int seed, int length, int vocabSize)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(vocabSize))];
    }
}
