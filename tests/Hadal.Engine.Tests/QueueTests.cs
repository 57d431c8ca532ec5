using Hadal.Engine.Tests.Fakes;

namespace Hadal.Engine.Tests;

/// <summary>Who starts when, who is shed, and whose time is over.</summary>
public sealed class QueueTests
{
    private const int VocabSize = 61;

    [Fact]
    public async Task Submit_BurstToAnIdleEngine_FillsThePlacesAndTheQueue()
    {
        await using var engine = new LlmEngine(new PagedHashRunner(), new() { MaxRunning = 8, MaxQueue = 2 }, startThread: false);
        var tasks = Enumerable.Range(0, 10).Select(i => engine.CollectAsync(Request(i))).ToArray();
        await Assert.ThrowsAsync<QueueFullException>(() => engine.CollectAsync(Request(10)));
        engine.Loop.Step();
        Assert.Equal((8, 2), (engine.GetStats().Running, engine.GetStats().Waiting));

        // All places are taken now, and as many wait as may.
        await Assert.ThrowsAsync<QueueFullException>(() => engine.CollectAsync(Request(11)));
        engine.Drain();
        await Task.WhenAll(tasks);
        Assert.Equal(10, engine.GetStats().RequestsFinished);
    }

    [Fact]
    public async Task Submit_ToAFullQueue_ShedsTheLeastUrgentNewest()
    {
        await using var engine = new LlmEngine(new PagedHashRunner(), new() { MaxRunning = 1, MaxQueue = 3 }, startThread: false);
        Task<Answer[]> running = engine.CollectAsync(Request(0));
        engine.Loop.Step();
        Task<Answer[]> ordinary = engine.CollectAsync(Request(1));
        Task<Answer[]> older = engine.CollectAsync(Request(2, priority: 5));
        Task<Answer[]> newer = engine.CollectAsync(Request(3, priority: 5));

        // As urgent as the least urgent is not enough.
        Assert.False((await Assert.ThrowsAsync<QueueFullException>(() => engine.CollectAsync(Request(4, priority: 5)))).WasShed);
        Task<Answer[]> urgent = engine.CollectAsync(Request(5, priority: -1));
        engine.Drain();
        Assert.True((await Assert.ThrowsAsync<QueueFullException>(() => newer)).WasShed);
        Assert.Equal(HashModel.Greedy(Request(5).PromptTokens, 4, VocabSize), (await urgent)[0].Tokens);
        await Task.WhenAll(running, ordinary, older);
        EngineStats stats = engine.GetStats();
        Assert.Equal((4, 1, 0, 0), (stats.RequestsFinished, stats.RequestsDropped, stats.Waiting, stats.KvBlocksUsed));
    }

    [Fact]
    public async Task Start_OfSeveralClasses_IsByUrgencyThenArrival()
    {
        var order = new StartOrder();
        await using var engine = new LlmEngine(order.Runner, new() { MaxRunning = 1, TimeProvider = new ManualTime() }, startThread: false);
        Task[] tasks = [.. new[] { 3, 0, 7, 0, -2, 3 }.Select((priority, i) => engine.CollectAsync(Request(i, priority)))];
        engine.Drain();
        await Task.WhenAll(tasks);
        Assert.Equal([4, 1, 3, 0, 5, 2], order.Starts);
    }

    [Fact]
    public async Task Start_BehindAStreamOfUrgentOnes_ComesByAgeing()
    {
        var time = new ManualTime();
        var order = new StartOrder { AfterStep = () => time.Advance(100) };
        await using var engine = new LlmEngine(order.Runner, new() { MaxRunning = 1, TimeProvider = time, AgeingInterval = TimeSpan.FromSeconds(1) }, startThread: false);
        var tasks = new List<Task>();
        void Add(int i, int priority) => tasks.Add(engine.CollectAsync(Request(i, priority, numTokens: 1)));
        Add(0, 0);
        Add(1000, 3);
        for (int i = 1; i < 60; i++)
        {
            Add(i, 0); // one urgent request always waits
            engine.Loop.Step();
        }

        engine.Drain();
        await Task.WhenAll(tasks);

        // Three classes below, so after three intervals of ten steps it is level with them, and a little later before them.
        Assert.InRange(order.Starts.IndexOf(1000), 30, 41);
    }

    [Fact]
    public async Task Start_OfTwoTenants_SharesTokensEvenlyHoweverManyAsk()
    {
        var order = new StartOrder();
        await using var engine = new LlmEngine(order.Runner, new() { MaxRunning = 1, TimeProvider = new ManualTime() }, startThread: false);
        var tasks = new List<Task>();
        for (int i = 0; i < 50; i++)
            tasks.Add(engine.CollectAsync(Request(i) with { Tenant = "flood" }));
        for (int i = 100; i < 105; i++)
            tasks.Add(engine.CollectAsync(Request(i) with { Tenant = "little" }));
        engine.Drain();
        await Task.WhenAll(tasks);

        // By turns, until the one who asked for little is done.
        Assert.InRange(order.Starts.IndexOf(104), 8, 10);
    }

    [Fact]
    public async Task Start_OfATenantThatWasIdle_HasSavedUpNothing()
    {
        var order = new StartOrder();
        await using var engine = new LlmEngine(order.Runner, new() { MaxRunning = 1, TimeProvider = new ManualTime() }, startThread: false);
        Task first = engine.CollectAsync(Request(500) with { Tenant = "late" });
        engine.Drain();
        var tasks = new List<Task> { first };
        for (int i = 0; i < 30; i++)
            tasks.Add(engine.CollectAsync(Request(i) with { Tenant = "busy" }));
        for (int i = 0; i < 80; i++)
            engine.Loop.Step();
        int before = order.Starts.Count;
        for (int i = 100; i < 110; i++)
            tasks.Add(engine.CollectAsync(Request(i) with { Tenant = "late" }));
        engine.Drain();
        await Task.WhenAll(tasks);
        var next = order.Starts.Skip(before).Take(10).ToList();
        Assert.InRange(next.Count(i => i >= 100), 4, 6);
    }

    [Fact]
    public async Task Deadline_PassedInTheQueue_AnswersWithoutWork()
    {
        var time = new ManualTime();
        await using var engine = new LlmEngine(new PagedHashRunner(), new() { MaxRunning = 1, TimeProvider = time }, startThread: false);
        Task<Answer[]> running = engine.CollectAsync(Request(0, numTokens: 20));
        engine.Loop.Step();
        Task<Answer[]> late = engine.CollectAsync(Request(1) with { Timeout = TimeSpan.FromSeconds(2) });
        engine.Loop.Step();
        time.Advance(2000);
        engine.Loop.Step();
        DeadlineExceededException e = await Assert.ThrowsAsync<DeadlineExceededException>(() => late);
        Assert.False(e.HasStarted);
        Assert.False(running.IsCompleted);
        engine.Drain();
        Assert.Equal(20, (await running)[0].Tokens.Length);
        Assert.Equal((1, 0), (engine.GetStats().RequestsDropped, engine.GetStats().Waiting));
    }

    [Fact]
    public async Task Deadline_PassedWhileRunning_FreesThePagesAtTheNextStep()
    {
        var time = new ManualTime();
        await using var engine = new LlmEngine(new PagedHashRunner(), new() { TimeProvider = time }, startThread: false);
        Task<Answer[]> task = engine.CollectAsync(Request(0, numTokens: 100) with { Timeout = TimeSpan.FromSeconds(1) });
        for (int i = 0; i < 5; i++)
            engine.Loop.Step();
        Assert.NotEqual(0, engine.GetStats().KvBlocksUsed);
        time.Advance(1000);
        engine.Loop.Step();
        Assert.Equal(0, engine.GetStats().KvBlocksUsed);
        Assert.True((await Assert.ThrowsAsync<DeadlineExceededException>(() => task)).HasStarted);
    }

    [Fact]
    public async Task Cancel_FreesThePagesWithinAStep()
    {
        await using var engine = new LlmEngine(new PagedHashRunner(), null, startThread: false);
        using var leave = new CancellationTokenSource();
        Task<Answer[]> task = engine.CollectAsync(Request(0, numTokens: 100), leave.Token);
        for (int i = 0; i < 5; i++)
            engine.Loop.Step();
        await leave.CancelAsync();
        engine.Loop.Step();
        Assert.Equal((0, 0), (engine.GetStats().KvBlocksUsed, engine.GetStats().Running));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => task);
    }

    [Fact]
    public async Task Deadlines_OfManyThatEndInTime_AreNotKept()
    {
        await using var engine = new LlmEngine(new PagedHashRunner(), null, startThread: false);
        for (int i = 0; i < 500; i++)
            await engine.RunAsync(Request(i, numTokens: 1) with { Timeout = TimeSpan.FromHours(1) });
        Assert.InRange(engine.Loop.NumDeadlines, 0, 70);
    }

    [Theory]
    [InlineData("priority", 1001, 1)]
    [InlineData("priority", -1001, 1)]
    [InlineData("timeout", 0, 0)]
    [InlineData("timeout", 0, -1)]
    [InlineData("timeout", 0, 100_000)]
    public async Task Request_OutOfBounds_IsRefused(string parameter, int priority, double timeoutSeconds)
    {
        await using var engine = new LlmEngine(new PagedHashRunner(), null, startThread: false);
        GenerationRequest request = Request(0, priority) with { Timeout = TimeSpan.FromSeconds(timeoutSeconds) };
        Assert.Equal(parameter, Assert.Throws<InvalidRequestException>(() => engine.GenerateAsync(request)).Parameter);
    }

    private static GenerationRequest Request(int i, int priority = 0, int numTokens = 4)
        => Client.Request([i % VocabSize, i / VocabSize % VocabSize, 7], Client.Greedy(numTokens)) with { Id = $"{i}", Priority = priority };

    /// <summary>Notes which request's prompt each step begins with, by the number in its first two tokens.</summary>
    private sealed class StartOrder
    {
        public StartOrder()
        {
            unsafe
            {
                Runner.BeforeStep = batch =>
                {
                    for (int b = 0; b < batch.NumSequences; b++)
                    {
                        int first = batch.AsPagedBatch().CuSeqLens[b];
                        if (batch.AsPagedBatch().Positions[first] == 0)
                            Starts.Add(batch.Tokens[first] + (VocabSize * batch.Tokens[first + 1]));
                    }

                    AfterStep();
                };
            }
        }

        public PagedHashRunner Runner { get; } = new();

        public List<int> Starts { get; } = [];

        public Action AfterStep { get; init; } = () => { };
    }
}
