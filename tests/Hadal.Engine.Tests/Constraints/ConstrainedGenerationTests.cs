using Hadal.Engine.Tests.Fakes;

namespace Hadal.Engine.Tests.Constraints;

/// <summary>What the engine does with a constraint, whatever it is made of.</summary>
public sealed class ConstrainedGenerationTests
{
    private const int Vocab = 61;

    private static GenerationRequest Request(SamplingParams sampling, Func<CycleConstraint> create, int seed = 1)
        => Client.Request(Client.Prompt(seed, 9), sampling) with { CreateConstraint = create };

    private static int[] GreedyCycle(int[] prompt, int numTokens, int modulus, int start = 0)
    {
        List<int> tokens = [.. prompt];
        for (int i = 0; i < numTokens; i++)
        {
            float[] row = HashModel.LogitsAfter(tokens.ToArray(), Vocab);
            tokens.Add(Enumerable.Range(0, Vocab).Where(t => i < start || t % modulus == i % modulus).MaxBy(t => row[t]));
        }

        return [.. tokens.Skip(prompt.Length)];
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    public async Task Greedy_TakesTheBestOfWhatIsAllowed(int start)
    {
        await using var engine = new LlmEngine(new PagedHashRunner(), null, startThread: false);
        var constraint = new CycleConstraint(Vocab, 4, start);
        Answer answer = await engine.RunAsync(Request(Client.Greedy(12), () => constraint));
        Assert.Equal(GreedyCycle(Client.Prompt(1, 9), 12, 4, start), answer.Tokens);
        Assert.Equal(answer.Tokens, constraint.Accepted);
        Assert.Equal(12 - start, constraint.NumMasks);
        Assert.Equal(FinishReason.Length, answer.Reason);
    }

    [Fact]
    public async Task EveryChoice_HasAConstraintOfItsOwn()
    {
        await using var engine = new LlmEngine(new PagedHashRunner(), null, startThread: false);
        var made = new List<CycleConstraint>();
        Task<Answer[]> answers = engine.CollectAsync(Request(new() { MaxTokens = 20, Seed = 4, N = 3, PresencePenalty = 1, LogitBias = new Dictionary<int, float> { [5] = 50 } }, () =>
        {
            made.Add(new CycleConstraint(Vocab, 7));
            return made[^1];
        }));
        engine.Drain();
        Assert.Equal(3, made.Count);
        foreach (Answer answer in await answers)
            Assert.All(answer.Tokens.Index(), t => Assert.Equal(t.Index % 7, t.Item % 7));
        Assert.Equal((await answers).Select(a => a.Tokens), made.Select(m => m.Accepted.ToArray()));
    }

    [Fact]
    public async Task Complete_EndsTheTextBelowMinTokensAndAtTheLastOne()
    {
        await using var engine = new LlmEngine(new PagedHashRunner(), new() { CreateDecoder = _ => new TableDecoder(TableDecoder.Letters) }, startThread: false);
        Answer answer = await engine.RunAsync(Request(Client.Greedy(20) with { MinTokens = 15, Stop = ["#"] }, () => new(Vocab, 4, length: 6)));
        Assert.Equal((FinishReason.Stop, 6, 6), (answer.Reason, answer.Tokens.Length, answer.Text.Length));
        answer = await engine.RunAsync(Request(Client.Greedy(6), () => new(Vocab, 4, length: 6)));
        Assert.Equal((FinishReason.Stop, 6), (answer.Reason, answer.Tokens.Length));
    }

    [Fact]
    public async Task Preempted_GoesOnWhereItStood()
    {
        // Pages for hardly more than one answer: the others lose theirs again and again.
        await using var engine = new LlmEngine(new PagedHashRunner(numBlocks: 16), new() { MaxRunning = 4, MaxBatchedTokens = 16 }, startThread: false);
        Task<Answer[]>[] answers = [.. Enumerable.Range(0, 4).Select(i => engine.CollectAsync(Request(Client.Greedy(30), () => new(Vocab, 3), i)))];
        engine.Drain();
        Assert.True(engine.GetStats().Preemptions > 0);
        for (int i = 0; i < 4; i++)
            Assert.Equal(GreedyCycle(Client.Prompt(i, 9), 30, 3), (await answers[i])[0].Tokens);
    }

    [Fact]
    public async Task OnDevice_OnlyConstrainedRowsAreFetched()
    {
        var runner = new SamplingHashRunner(new PagedHashRunner());
        await using var engine = new LlmEngine(runner, null, startThread: false);
        Task<Answer[]> constrained = engine.CollectAsync(Request(Client.Greedy(10), () => new(Vocab, 4, start: 3)));
        Task<Answer[]> plain = engine.CollectAsync(Client.Request(Client.Prompt(2, 9), Client.Greedy(10)));
        engine.Drain();
        Assert.Equal(GreedyCycle(Client.Prompt(1, 9), 10, 4, 3), (await constrained)[0].Tokens);
        Assert.Equal(HashModel.Greedy(Client.Prompt(2, 9), 10, Vocab), (await plain)[0].Tokens);
        Assert.Equal(7, runner.NumFetchedRows);
    }

    [Fact]
    public async Task BadLogits_EndTheAnswerThoughTheyAreBanned()
    {
        var runner = new PagedHashRunner { AfterRow = (_, logits, at) => logits[at + 3] = float.NaN };
        await using var engine = new LlmEngine(runner, null, startThread: false);
        Answer answer = await engine.RunAsync(Request(Client.Greedy(4), () => new(Vocab, 2)));
        Assert.Equal(FinishReason.Error, answer.Reason);
    }
}
