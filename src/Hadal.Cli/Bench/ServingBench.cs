using System.Diagnostics;
using Hadal.Engine;
using Hadal.Graph.Execution;

namespace Hadal.Cli.Bench;

/// <summary>Times the engine under requests that all come at once: scheduling, steps and sampling, without HTTP.</summary>
internal static class ServingBench
{
    /// <param name="runner">The model; not disposed.</param>
    /// <param name="requests">How many come.</param>
    /// <param name="promptTokens">Tokens of each prompt, all different.</param>
    /// <param name="answerTokens">Tokens of each answer, greedy, without an end.</param>
    /// <param name="batchedTokens">Tokens of a step at most.</param>
    /// <returns>Tokens of answers a second, from the first request to the last token.</returns>
    public static double Run(IModelRunner runner, int requests, int promptTokens, int answerTokens, int batchedTokens, CancellationToken cancellationToken)
    {
        var options = new EngineOptions { MaxRunning = requests, MaxBatchedTokens = batchedTokens, MaxQueue = requests };
        // The engine disposes its runner, which is not ours to give.
        var engine = new LlmEngine(BorrowedRunner.Of(runner), options);
        try
        {
            var random = new Random(11);
            var clock = Stopwatch.StartNew();
            Task<int>[] answers = [.. Enumerable.Range(0, requests).Select(i =>
            {
                int[] prompt = [.. Enumerable.Range(0, promptTokens).Select(_ => random.Next(runner.VocabSize))];
                return AnswerAsync(engine, prompt, answerTokens, cancellationToken);
            })];
            int tokens = Task.WhenAll(answers).GetAwaiter().GetResult().Sum();
            return tokens / clock.Elapsed.TotalSeconds;
        }
        finally
        {
            engine.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    private static async Task<int> AnswerAsync(LlmEngine engine, int[] prompt, int answerTokens, CancellationToken cancellationToken)
    {
        var sampling = new SamplingParams { Temperature = 0, MaxTokens = answerTokens, IgnoreEos = true };
        int tokens = 0;
        await foreach (GenerationEvent e in engine.GenerateAsync(new GenerationRequest { Id = "bench", PromptTokens = prompt, Sampling = sampling }, cancellationToken).ConfigureAwait(false))
        {
            tokens += e.TokenId >= 0 ? 1 : 0;
        }

        return tokens;
    }
}
