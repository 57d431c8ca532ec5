using System.Text.Json;
using Hadal.Numerics;
using Hadal.Server.Tests.Fakes;

namespace Hadal.Server.Tests;

/// <summary>Several models that come into memory when they are asked for, and leave it.</summary>
public sealed class ModelLifecycleTests
{
    private const string Ask = """{"model":"NAME","prompt":"x","max_tokens":3}""";

    [Fact]
    public async Task FirstRequests_ManyAtOnce_LoadOnce()
    {
        var gate = new TaskCompletionSource();
        var a = new FakeSource("a") { Gate = gate.Task };
        var b = new FakeSource("b");
        await using var server = await ServerFixture.StartAsync([a.Source, b.Source]);
        var (_, before) = await ModelsAsync(server);
        Assert.Equal([("a", false), ("b", false)], before);

        var requests = Enumerable.Range(0, 20).Select(_ => server.SendAsync("/v1/completions", Ask.Replace("NAME", "a", StringComparison.Ordinal))).ToArray();
        await ServerFixture.UntilAsync(() => a.NumLoads == 1);

        // One that is loading holds up no other.
        Assert.Equal(200, (await server.SendAsync("/v1/completions", Ask.Replace("NAME", "b", StringComparison.Ordinal))).Status);
        gate.SetResult();
        foreach (var (status, _) in await Task.WhenAll(requests))
            Assert.Equal(200, status);
        Assert.Equal((1, 1), (a.NumLoads, b.NumLoads));
        Assert.Equal([("a", true), ("b", true)], (await ModelsAsync(server)).Models);
    }

    [Fact]
    public async Task Load_ThatFails_IsAnsweredWithoutPathsAndTriedAgain()
    {
        var loggers = new RecordingLoggers();
        var a = new FakeSource("a") { Failure = new HadalException("/secret/path/config.json is missing") };
        await using var server = await ServerFixture.StartAsync([a.Source], loggers: loggers);
        using var response = await server.PostAsync("/v1/completions", Ask.Replace("NAME", "a", StringComparison.Ordinal));
        string text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.Equal(503, (int)response.StatusCode);
        Assert.NotNull(response.Headers.RetryAfter);
        Assert.Contains("model_load_failed", text, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", text, StringComparison.Ordinal);
        Assert.Contains("/secret/path", loggers.All, StringComparison.Ordinal);
        a.Failure = null;
        Assert.Equal(200, (await server.SendAsync("/v1/completions", Ask.Replace("NAME", "a", StringComparison.Ordinal))).Status);
        Assert.Equal(2, a.NumLoads);
    }

    [Fact]
    public async Task IdleModel_IsUnloaded_AndComesBackWhenAskedFor()
    {
        var a = new FakeSource("a");
        await using var server = await ServerFixture.StartAsync([a.Source], options => options with { IdleUnload = TimeSpan.FromMilliseconds(200) });
        Assert.Equal(200, (await server.SendAsync("/v1/completions", Ask.Replace("NAME", "a", StringComparison.Ordinal))).Status);
        await ServerFixture.UntilAsync(() => a.NumUnloads == 1);
        Assert.Equal([("a", false)], (await ModelsAsync(server)).Models);
        Assert.DoesNotContain("hadal_kv_pages{", await server.GetTextAsync("/metrics"), StringComparison.Ordinal);
        Assert.Equal(200, (await server.SendAsync("/v1/completions", Ask.Replace("NAME", "a", StringComparison.Ordinal))).Status);
        Assert.Equal(2, a.NumLoads);
    }

    [Fact]
    public async Task ModelInUse_IsNotUnloaded()
    {
        var a = new FakeSource("a");
        var gate = new TaskCompletionSource();
        a.Engine.BeforeToken = ct => gate.Task.WaitAsync(ct);
        await using var server = await ServerFixture.StartAsync([a.Source], options => options with { IdleUnload = TimeSpan.FromMilliseconds(50) });
        var running = server.SendAsync("/v1/completions", Ask.Replace("NAME", "a", StringComparison.Ordinal));
        await ServerFixture.UntilAsync(() => a.Engine.Running == 1);
        await Task.Delay(400, TestContext.Current.CancellationToken);
        Assert.Equal(0, a.NumUnloads);
        gate.SetResult();
        Assert.Equal(200, (await running).Status);
        await ServerFixture.UntilAsync(() => a.NumUnloads == 1);
    }

    [Fact]
    public async Task Server_ThatEnds_UnloadsWhatItLoaded()
    {
        var a = new FakeSource("a");
        await using (var server = await ServerFixture.StartAsync([a.Source, new FakeSource("b").Source]))
            Assert.Equal(200, (await server.SendAsync("/tokenize", """{"prompt":"x"}""")).Status);
        Assert.Equal((1, 1), (a.NumLoads, a.NumUnloads));
    }

    private static async Task<(JsonElement Body, (string, bool)[] Models)> ModelsAsync(ServerFixture server)
    {
        var body = JsonDocument.Parse(await server.GetTextAsync("/v1/models")).RootElement;
        return (body, [.. body.GetProperty("data").EnumerateArray().Select(m => (m.GetProperty("id").GetString()!, m.GetProperty("loaded").GetBoolean()))]);
    }

    private sealed class FakeSource
    {
        private int _numLoads;
        private int _numUnloads;

        public FakeSource(string id) => Source = new ModelSource { Id = id, Created = DateTimeOffset.UnixEpoch, LoadAsync = LoadAsync };

        public ModelSource Source { get; }

        public Task Gate { get; init; } = Task.CompletedTask;

        public Exception? Failure { get; set; }

        public ScriptedEngine Engine { get; } = new() { Script = (_, _) => [65] };

        public int NumLoads => Volatile.Read(ref _numLoads);

        public int NumUnloads => Volatile.Read(ref _numUnloads);

        private async Task<HostedModel> LoadAsync(CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _numLoads);
            await Gate;
            if (Failure is not null)
                throw Failure;
            return new HostedModel(ServerFixture.Toy(Engine) with { Id = Source.Id, Aliases = [] }, () =>
            {
                Interlocked.Increment(ref _numUnloads);
                return ValueTask.CompletedTask;
            });
        }
    }
}
