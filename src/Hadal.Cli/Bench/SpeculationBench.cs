using System.Diagnostics;
using Hadal.Engine;
using Hadal.Formats.Tokenization;
using Hadal.Graph.Execution;

namespace Hadal.Cli.Bench;

/// <summary>Answers prompts with and without speculation in turns, through the engine: tokens a second, acceptance, and whether the answers are the same.</summary>
/// <param name="runner">The model; not disposed.</param>
/// <param name="tokenizer">For the texts that are compared with known answers.</param>
/// <param name="eosTokenIds">The model's end tokens.</param>
/// <param name="speculation">What to measure.</param>
internal sealed class SpeculationBench(IModelRunner runner, ITokenizer tokenizer, IReadOnlyList<int> eosTokenIds, SpeculationOptions speculation)
{
    private const string EndOfThinking = "</think>";

    /// <param name="prompts">What to answer.</param>
    /// <param name="batch">Answers made at once.</param>
    /// <param name="answerTokens">Tokens of an answer at the most.</param>
    /// <param name="temperature">0 for the most likely token always.</param>
    /// <param name="repeat">Repetitions, each once without and once with.</param>
    public SpeculationCase Run(IReadOnlyList<BenchPrompt> prompts, int batch, int answerTokens, float temperature, int repeat, CancellationToken cancellationToken)
    {
        List<double> plain = [];
        List<double> speculative = [];
        List<double> ratios = [];
        List<double> plainByProcessor = [];
        List<double> byProcessor = [];
        var drafted = new long[speculation.MaxDraftTokens];
        var accepted = new long[speculation.MaxDraftTokens];
        Round before = default!;
        Round after = default!;
        // One engine each for all rounds: what they measure of costs and acceptance stays, as it does in a server.
        using var without = new EngineUnderTest(this, batch, null);
        using var with = new EngineUnderTest(this, batch, speculation);
        for (int r = -1; r < repeat; r++)
        {
            before = without.Answer(prompts, answerTokens, temperature, cancellationToken);
            after = with.Answer(prompts, answerTokens, temperature, cancellationToken);
            // The first round compiles code and grows buffers.
            if (r >= 0 || repeat == 0)
            {
                plain.Add(before.TokensPerSecond);
                speculative.Add(after.TokensPerSecond);
                ratios.Add(after.TokensPerSecond / before.TokensPerSecond);
                plainByProcessor.Add(before.TokensPerProcessorSecond);
                byProcessor.Add(after.TokensPerProcessorSecond);
            }
        }

        SpeculationStats stats = with.Engine.GetStats().Speculation!;
        for (int i = 0; i < drafted.Length; i++)
        {
            drafted[i] = stats.DraftedByPosition[i];
            accepted[i] = stats.AcceptedByPosition[i];
        }

        int same = before.Answers.Zip(after.Answers).Count(p => p.First.AsSpan().SequenceEqual(p.Second));
        return new SpeculationCase(
            batch, temperature, before.Answers.Sum(a => a.Length), Median(plain), Median(speculative), Median(ratios), Median(plainByProcessor), Median(byProcessor), stats.Drafted, stats.Accepted,
            [.. drafted.Select((n, i) => n == 0 ? 0 : accepted[i] / (double)n)], same, prompts.Count, ExactMatch(prompts, before), ExactMatch(prompts, after));
    }

    private double? ExactMatch(IReadOnlyList<BenchPrompt> prompts, Round round)
    {
        int known = 0;
        int right = 0;
        for (int i = 0; i < prompts.Count; i++)
        {
            if (prompts[i].Answer is not { } answer)
            {
                continue;
            }

            known++;
            string text = tokenizer.Decode(round.Answers[i]);
            int end = text.LastIndexOf(EndOfThinking, StringComparison.Ordinal);
            text = end < 0 ? text : text[(end + EndOfThinking.Length)..];
            foreach (string marker in eosTokenIds.Select(id => tokenizer.Decode([id])))
            {
                text = marker.Length > 0 && text.EndsWith(marker, StringComparison.Ordinal) ? text[..^marker.Length] : text;
            }

            right += text.Trim() == answer.Trim() ? 1 : 0;
        }

        return known == 0 ? null : right / (double)known;
    }

    private static double Median(List<double> values)
    {
        List<double> sorted = [.. values.Order()];
        int middle = sorted.Count / 2;
        return sorted.Count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    private sealed record Round(int[][] Answers, double TokensPerSecond, double TokensPerProcessorSecond);

    private sealed class EngineUnderTest : IDisposable
    {
        private readonly int _batch;

        public EngineUnderTest(SpeculationBench bench, int batch, SpeculationOptions? speculation)
        {
            _batch = batch;
            Engine = new LlmEngine(BorrowedRunner.Of(bench.Runner), new EngineOptions
            {
                MaxRunning = batch,
                MaxBatchedTokens = Math.Max(512, batch),
                EosTokenIds = bench.EosTokenIds,
                // Every round computes its prompts.
                EnablePrefixCaching = false,
                Speculation = speculation is { DraftModel: { } draft } ? speculation with { DraftModel = BorrowedRunner.Of(draft) } : speculation,
            });
        }

        public LlmEngine Engine { get; }

        public Round Answer(IReadOnlyList<BenchPrompt> prompts, int answerTokens, float temperature, CancellationToken cancellationToken)
        {
            TimeSpan processor = Environment.CpuUsage.TotalTime;
            long start = Stopwatch.GetTimestamp();
            var answers = new Task<int[]>[prompts.Count];
            using var places = new SemaphoreSlim(_batch);
            for (int i = 0; i < prompts.Count; i++)
            {
                places.Wait(cancellationToken);
                answers[i] = AnswerAsync(prompts[i].Tokens, answerTokens, temperature, (ulong)i, places, cancellationToken);
            }

            int[][] all = Task.WhenAll(answers).GetAwaiter().GetResult();
            int tokens = all.Sum(a => a.Length);
            return new Round(all, tokens / Stopwatch.GetElapsedTime(start).TotalSeconds, tokens / (Environment.CpuUsage.TotalTime - processor).TotalSeconds);
        }

        public void Dispose() => Engine.DisposeAsync().AsTask().GetAwaiter().GetResult();

        private async Task<int[]> AnswerAsync(int[] prompt, int answerTokens, float temperature, ulong seed, SemaphoreSlim places, CancellationToken cancellationToken)
        {
            var sampling = new SamplingParams { Temperature = temperature, MaxTokens = answerTokens, Seed = seed };
            List<int> tokens = [];
            await foreach (GenerationEvent e in Engine.GenerateAsync(new GenerationRequest { Id = "bench", PromptTokens = prompt, Sampling = sampling }, cancellationToken).ConfigureAwait(false))
            {
                if (e.TokenId >= 0)
                {
                    tokens.Add(e.TokenId);
                }
            }

            places.Release();
            return [.. tokens];
        }
    }

    private IModelRunner Runner => runner;

    private IReadOnlyList<int> EosTokenIds => eosTokenIds;
}
