using System.Diagnostics;
using Hadal.Engine;
using Hadal.Engine.Tests.Fakes;
using Hadal.Numerics;
using Hadal.Server.Tests.Fakes;

namespace Hadal.Server.Tests.Faults;

/// <summary>
/// What clients and machines do to a server. After each the server answers as before, holds no page and no request. <c>eng/faults.sh</c> prints them as a table.
/// </summary>
public sealed class FaultTests(ITestOutputHelper output)
{
    private const string Endless = """{"model":"toy","prompt":"go on","stream":true,"ignore_eos":true,"max_tokens":4000,"temperature":0}""";
    private const string Short = """{"model":"toy","prompt":"short","ignore_eos":true,"max_tokens":5,"temperature":0}""";

    [Fact]
    public async Task ClientVanishes_MidStream_FreesItsPages()
    {
        (LlmEngine engine, PagedHashRunner runner) = HashEngine.Create();
        runner.BeforeStep = _ => Spin(TimeSpan.FromMilliseconds(1));
        await using LlmEngine owned = engine;
        await using var server = await ServerFixture.StartAsync(ServerFixture.Toy(engine));
        for (int i = 0; i < 10; i++)
        {
            using RawClient client = await RawClient.ConnectAsync(server);
            await client.SendAsync(RawClient.Post("/v1/completions", Endless));
            await client.ReadAsync("data: ");
            client.Vanish();
        }

        await LivesOnAsync(server, engine);
        Assert.Equal(10, engine.GetStats().RequestsCancelled);
    }

    [Theory]
    [InlineData("ZZ\r\n{}\r\n0\r\n\r\n")]
    [InlineData("-5\r\nabc\r\n0\r\n\r\n")]
    [InlineData("FFFFFFFFFFFFFFFFFF\r\nabc\r\n")]
    [InlineData("2\r\n{}{}{}\r\n0\r\n\r\n")]
    [InlineData("2;ext=\"\r\n{}\r\n0\r\nTrailer: x\r\n\r\n")]
    [InlineData("5\n{\"a\":")]
    public async Task ChunkedBody_Malformed_IsRefused(string chunks)
    {
        (LlmEngine engine, _) = HashEngine.Create();
        await using LlmEngine owned = engine;
        await using var server = await ServerFixture.StartAsync(ServerFixture.Toy(engine), options => options with { MinBodyBytesPerSecond = 1000 });
        using RawClient client = await RawClient.ConnectAsync(server);
        await client.SendAsync("POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunks);
        string answer = await client.ReadAsync();
        Assert.StartsWith("HTTP/1.1 4", answer, StringComparison.Ordinal);
        Assert.Contains("{\"error\":{", answer, StringComparison.Ordinal);
        await LivesOnAsync(server, engine);
    }

    [Fact]
    public async Task SlowLoris_OfHeadersAndBodies_IsCutOffAndHoldsUpNobody()
    {
        (LlmEngine engine, _) = HashEngine.Create();
        await using LlmEngine owned = engine;
        await using var server = await ServerFixture.StartAsync(ServerFixture.Toy(engine), options => options with { HeaderTimeout = TimeSpan.FromSeconds(1), MinBodyBytesPerSecond = 240 });
        var clients = new List<RawClient>();
        try
        {
            for (int i = 0; i < 50; i++)
            {
                clients.Add(await RawClient.ConnectAsync(server));
                await clients[^1].SendAsync(i % 2 == 0
                    ? "POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
                    : "POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 10000\r\n\r\n{");
            }

            Assert.Equal(200, (await server.SendAsync("/v1/completions", Short)).Status);
            for (int i = 0; i < clients.Count; i++)
            {
                string answer = await clients[i].ReadAsync(); // ends: the server closed it
                Assert.Contains("408", answer, StringComparison.Ordinal);
                if (i % 2 == 1)
                    Assert.Contains("\"code\":\"request_timeout\"", answer, StringComparison.Ordinal);
            }
        }
        finally
        {
            clients.ForEach(c => c.Dispose());
        }

        await LivesOnAsync(server, engine);
    }

    [Theory]
    [InlineData("[", "]")]
    [InlineData("{\"a\":", "}")]
    public async Task Json_NestedAMegabyteDeep_IsRefusedAtOnce(string open, string close)
    {
        (LlmEngine engine, _) = HashEngine.Create();
        await using LlmEngine owned = engine;
        await using var server = await ServerFixture.StartAsync(ServerFixture.Toy(engine));
        int depth = (1 << 20) / open.Length;
        string body = "{\"model\":\"toy\",\"prompt\":\"x\",\"tools\":" + string.Concat(Enumerable.Repeat(open, depth)) + "1" + string.Concat(Enumerable.Repeat(close, depth)) + "}";
        var clock = Stopwatch.StartNew();
        var (status, answer) = await server.SendAsync("/v1/completions", body);
        output.WriteLine($"refused after {clock.ElapsedMilliseconds} ms");
        Assert.Equal((400, "invalid_json"), (status, answer.GetProperty("error").GetProperty("code").GetString()));
        Assert.InRange(clock.ElapsedMilliseconds, 0, 2000);
        await LivesOnAsync(server, engine);
    }

    [Fact]
    public async Task StopStrings_AHundredThousand_AreRefusedAtOnce()
    {
        (LlmEngine engine, _) = HashEngine.Create();
        await using LlmEngine owned = engine;
        await using var server = await ServerFixture.StartAsync(ServerFixture.Toy(engine));
        string body = "{\"model\":\"toy\",\"prompt\":\"x\",\"stop\":[" + string.Join(',', Enumerable.Range(0, 100_000).Select(i => $"\"stop {i}\"")) + "]}";
        var clock = Stopwatch.StartNew();
        var (status, answer) = await server.SendAsync("/v1/completions", body);
        output.WriteLine($"refused after {clock.ElapsedMilliseconds} ms");
        Assert.Equal((400, "stop"), (status, answer.GetProperty("error").GetProperty("param").GetString()));
        Assert.InRange(clock.ElapsedMilliseconds, 0, 2000);
        await LivesOnAsync(server, engine);
    }

    [Fact]
    public async Task Kernel_ThatThrowsForOneRequest_FailsThatOneOnly()
    {
        (LlmEngine engine, PagedHashRunner runner) = HashEngine.Create();
        runner.BeforeStep = batch => ThrowForPoison(batch, runner);
        await using LlmEngine owned = engine;
        await using var server = await ServerFixture.StartAsync(ServerFixture.Toy(engine));
        string alone = (await server.SendAsync("/v1/completions", Short)).Body.GetProperty("choices").ToString();
        var good = Enumerable.Range(0, 16).Select(_ => server.SendAsync("/v1/completions", Short)).ToArray();
        var bad = Enumerable.Range(0, 3).Select(_ => server.SendAsync("/v1/completions", """{"model":"toy","prompt":"~poison","add_special_tokens":false,"max_tokens":5}""")).ToArray();
        foreach (var (status, answer) in await Task.WhenAll(good))
            Assert.Equal((200, alone), (status, answer.GetProperty("choices").ToString()));
        foreach (var (status, _) in await Task.WhenAll(bad))
            Assert.Equal(500, status);
        await LivesOnAsync(server, engine);

        static unsafe void ThrowForPoison(Graph.Execution.StepBatch batch, PagedHashRunner runner)
        {
            for (int b = 0; b < batch.NumSequences; b++)
            {
                int first = batch.AsPagedBatch().CuSeqLens[b];
                if (batch.AsPagedBatch().Positions[first] == 0 && batch.Tokens[first] == '~')
                    throw new HadalException("illegal instruction");
            }
        }
    }

    [Fact]
    public async Task Device_ThatBreaks_IsSaidByHealthAndAnswers()
    {
        var engine = new ScriptedEngine { Script = (_, _) => [65] };
        await using var server = await ServerFixture.StartAsync(engine);
        Assert.Equal(200, (await server.SendAsync("/v1/completions", Short)).Status);
        engine.Failure = "an illegal address";
        engine.AdmissionFailure = new EngineUnavailableException("an illegal address");
        var (status, answer) = await server.SendAsync("/v1/completions", Short);
        Assert.Equal((503, "engine_unavailable"), (status, answer.GetProperty("error").GetProperty("code").GetString()));
        using var health = await server.Client.GetAsync(new Uri("/health", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(503, (int)health.StatusCode);
        Assert.Contains("failed", await health.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Headers_TooMany_AreRefused()
    {
        (LlmEngine engine, _) = HashEngine.Create();
        await using LlmEngine owned = engine;
        await using var server = await ServerFixture.StartAsync(ServerFixture.Toy(engine), options => options with { MaxHeaderBytes = 4096 });
        using RawClient client = await RawClient.ConnectAsync(server);
        await client.SendAsync("GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: " + new string('x', 8000) + "\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 431", await client.ReadAsync(), StringComparison.Ordinal);
        await LivesOnAsync(server, engine);
    }

    [Fact]
    public async Task Reader_ThatTakesNothing_IsCutOffAndHoldsUpNobody()
    {
        (LlmEngine engine, _) = HashEngine.Create(maxContextLen: 40_000);
        await using LlmEngine owned = engine;
        await using var server = await ServerFixture.StartAsync(ServerFixture.Toy(engine), options => options with { SlowReaderTimeout = TimeSpan.FromSeconds(1) });
        using RawClient stalled = await RawClient.ConnectAsync(server, receiveBufferSize: 2048);
        await stalled.SendAsync(RawClient.Post("/v1/completions", Endless.Replace("4000", "39000", StringComparison.Ordinal).Replace("\"temperature\":0", "\"logprobs\":20,\"temperature\":0", StringComparison.Ordinal)));
        await ServerFixture.UntilAsync(() => engine.GetStats().Running == 1);
        for (int i = 0; i < 5; i++)
            Assert.Equal(200, (await server.SendAsync("/v1/completions", Short)).Status);

        await ServerFixture.UntilAsync(async () => (await server.GetTextAsync("/metrics")).Contains("outcome=\"slow_reader\"", StringComparison.Ordinal));
        Assert.DoesNotContain("[DONE]", await stalled.ReadAsync(), StringComparison.Ordinal);
        await LivesOnAsync(server, engine);
    }

    [Fact]
    public async Task Deadline_PassedInTheQueue_Is503_AndWhileRunning408()
    {
        (LlmEngine engine, PagedHashRunner runner) = HashEngine.Create(options => options with { MaxRunning = 1 });
        runner.BeforeStep = _ => Spin(TimeSpan.FromMilliseconds(2));
        await using LlmEngine owned = engine;
        await using var server = await ServerFixture.StartAsync(ServerFixture.Toy(engine));
        var running = server.SendAsync("/v1/completions", """{"model":"toy","prompt":"x","ignore_eos":true,"max_tokens":4000,"timeout":1}""");
        await ServerFixture.UntilAsync(() => engine.GetStats().Running == 1);
        using var waiting = await server.PostAsync("/v1/completions", """{"model":"toy","prompt":"x","ignore_eos":true,"max_tokens":4000,"timeout":0.2}""");
        Assert.Equal(503, (int)waiting.StatusCode);
        Assert.NotNull(waiting.Headers.RetryAfter);
        Assert.Contains("deadline_exceeded", await waiting.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        var (status, answer) = await running;
        Assert.Equal((408, "request_timeout"), (status, answer.GetProperty("error").GetProperty("code").GetString()));
        await LivesOnAsync(server, engine);
    }

    [Fact]
    public async Task Overload_AnswersEveryRequestOnce()
    {
        (LlmEngine engine, PagedHashRunner runner) = HashEngine.Create(options => options with { MaxRunning = 4, MaxQueue = 16 });
        runner.BeforeStep = _ => Spin(TimeSpan.FromMilliseconds(1));
        await using LlmEngine owned = engine;
        await using var server = await ServerFixture.StartAsync(ServerFixture.Toy(engine));
        var answers = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => server.SendAsync(
            "/v1/completions", $$"""{"model":"toy","prompt":"x{{i}}","ignore_eos":true,"max_tokens":8,"priority":{{i % 3}}}""")));
        int ok = answers.Count(a => a.Status == 200);
        int full = answers.Count(a => a.Status == 429);
        output.WriteLine($"{ok} answered, {full} told to come back");
        Assert.Equal(200, ok + full);
        Assert.InRange(ok, 20, 200);
        await LivesOnAsync(server, engine);
    }

    private static async Task LivesOnAsync(ServerFixture server, LlmEngine engine)
    {
        var (status, answer) = await server.SendAsync("/v1/completions", Short);
        Assert.Equal((200, 5), (status, answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32()));
        await ServerFixture.UntilAsync(() => engine.GetStats() is { Running: 0, Waiting: 0, KvBlocksUsed: 0 });
    }

    private static void Spin(TimeSpan time)
    {
        long start = Stopwatch.GetTimestamp();
        SpinWait.SpinUntil(() => Stopwatch.GetElapsedTime(start) >= time);
    }
}
