namespace Hadal.Engine.Tests.Fakes;

internal static class Client
{
    /// <summary>Submits at once (before the first await) and collects the choices, checking that each ends once and last.</summary>
    public static async Task<Answer[]> CollectAsync(this LlmEngine engine, GenerationRequest request, CancellationToken cancellationToken = default)
    {
        var events = Enumerable.Range(0, request.Sampling.N).Select(_ => new List<GenerationEvent>()).ToArray();
        await foreach (GenerationEvent e in engine.GenerateAsync(request, cancellationToken))
        {
            List<GenerationEvent> own = events[e.ChoiceIndex];
            Assert.True(own.Count == 0 || own[^1].FinishReason is null, "an event after the last one");
            own.Add(e);
            Assert.Equal(own.Count(x => x.TokenId >= 0), e.Usage.CompletionTokens);
        }

        return [.. events.Select(own => new Answer(
            [.. own.Where(e => e.TokenId >= 0).Select(e => e.TokenId)],
            string.Concat(own.Select(e => e.Text)),
            own[^1].FinishReason ?? throw new InvalidOperationException("a choice without an end"),
            own[^1],
            own))];
    }

    /// <summary>Steps an engine without a thread until nothing is left to do.</summary>
    public static void Drain(this LlmEngine engine)
    {
        while (engine.Loop.Step())
        {
        }
    }

    public static async Task<Answer> RunAsync(this LlmEngine engine, GenerationRequest request)
    {
        Task<Answer[]> answers = engine.CollectAsync(request);
        engine.Drain();
        return (await answers)[0];
    }

    public static GenerationRequest Request(IReadOnlyList<int> prompt, SamplingParams? sampling = null)
        => new() { Id = "test", PromptTokens = prompt, Sampling = sampling ?? Greedy(8) };

    public static SamplingParams Greedy(int maxTokens) => new() { Temperature = 0, MaxTokens = maxTokens };

    public static int[] Prompt(int seed, int length, int vocabSize = 61)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(vocabSize))];
    }
}
