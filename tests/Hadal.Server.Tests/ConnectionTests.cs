using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using Hadal.Server.Tests.Fakes;

namespace Hadal.Server.Tests;

/// <summary>Readers that leave, dawdle or crowd; and a server that goes.</summary>
public sealed partial class ConnectionTests
{
    private const string Stream = """{"model":"toy","messages":[{"role":"user","content":"hi"}],"stream":true}""";
    private const string Whole = """{"model":"toy","messages":[{"role":"user","content":"hi"}]}""";

    [Fact]
    public async Task Stream_ClientLeavesAmidst_CancelsTheRequest()
    {
        var engine = Endless();
        await using var server = await ServerFixture.StartAsync(engine);

        using (var response = await OpenAsync(server, Stream))
        {
            await using var body = await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken);
            Assert.True(await body.ReadAsync(new byte[100], TestContext.Current.CancellationToken) > 0);
            Assert.Equal(1, engine.Running);
        }

        await ServerFixture.UntilAsync(() => engine.Running == 0);
        Assert.Equal(1, engine.Cancelled);
        await ServerFixture.UntilAsync(async () => (await server.GetTextAsync("/metrics")).Contains("outcome=\"cancelled\"", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Whole_ClientLeavesAmidst_CancelsTheRequest()
    {
        var engine = Endless();
        await using var server = await ServerFixture.StartAsync(engine);
        using var leave = new CancellationTokenSource();
        using var content = new StringContent(Whole, Encoding.UTF8, "application/json");

        var post = server.Client.PostAsync(new Uri("/v1/chat/completions", UriKind.Relative), content, leave.Token);
        await ServerFixture.UntilAsync(() => engine.Running == 1);
        await leave.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => post);
        await ServerFixture.UntilAsync(() => engine.Running == 0);
    }

    [Fact]
    public async Task Completions_OneOfSeveralPromptsFails_CancelsTheOthers()
    {
        var engine = Endless();
        engine.Script = (request, _) => request.PromptTokens[^1] == 'b' ? throw new InvalidOperationException("b fails") : [65];
        await using var server = await ServerFixture.StartAsync(engine);

        var (status, _) = await server.SendAsync("/v1/completions", """{"model":"toy","prompt":["a","b","c"],"max_tokens":400}""");

        Assert.Equal(500, status);
        Assert.Equal(0, engine.Running);
    }

    [Fact]
    public async Task Stream_SixtyFourAtOnce_EachGetsItsOwn()
    {
        var engine = new ScriptedEngine
        {
            Script = (request, _) => ServerFixture.Ids("</think>" + new ToyTokenizer().Decode([.. request.PromptTokens.Skip(2).SkipLast(2)])),
            BeforeToken = async ct => await Task.Delay(1, ct),
        };
        await using var server = await ServerFixture.StartAsync(engine);

        string[] transcripts = await Task.WhenAll(Enumerable.Range(0, 64).Select(async i =>
        {
            using var response = await server.PostAsync("/v1/chat/completions", Stream.Replace("hi", $"number {i}", StringComparison.Ordinal));
            return await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        }));

        for (int i = 0; i < transcripts.Length; i++)
        {
            string text = string.Concat(Content().Matches(transcripts[i]).Select(match => match.Groups[1].Value));
            Assert.Equal($"number {i}", text);
            Assert.EndsWith("data: [DONE]\n\n", transcripts[i], StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Stream_ReaderThatDoesNotRead_HoldsUpNeitherEngineNorOthers()
    {
        // Some 7 MB of events: far more than the socket's and Kestrel's buffers take.
        const int NumTokens = 50_000;
        var engine = new ScriptedEngine { Script = (_, _) => [65], Endless = true, MaxContextLen = NumTokens + 100 };
        await using var server = await ServerFixture.StartAsync(engine);
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        await socket.ConnectAsync(IPAddress.Loopback, server.BaseAddress.Port, TestContext.Current.CancellationToken);
        string body = $$"""{"model":"toy","prompt":"x","stream":true,"max_tokens":{{NumTokens}}}""";
        await socket.SendAsync(Encoding.ASCII.GetBytes($"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}"), TestContext.Current.CancellationToken);

        // The engine comes to its end without a byte read.
        await ServerFixture.UntilAsync(() => engine.Generated >= NumTokens);
        Assert.Equal(1, engine.Running);
        Assert.Equal(200, (await server.SendAsync("/v1/completions", """{"model":"toy","prompt":"x","max_tokens":3}""")).Status);

        var received = new StringBuilder();
        byte[] buffer = new byte[64 << 10];
        int numRead;
        while ((numRead = await socket.ReceiveAsync(buffer, TestContext.Current.CancellationToken)) > 0)
            received.Append(Encoding.UTF8.GetString(buffer, 0, numRead));
        Assert.Equal(NumTokens, Text().Count(received.ToString()));
        Assert.Contains("data: [DONE]", received.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stream_FirstTokenIsSlow_HeadersComeFirst()
    {
        var gate = new TaskCompletionSource();
        var engine = new ScriptedEngine { Script = (_, _) => ServerFixture.Ids("</think>x"), BeforeToken = ct => gate.Task.WaitAsync(ct) };
        await using var server = await ServerFixture.StartAsync(engine, options => options with { StreamStartDelay = TimeSpan.FromMilliseconds(50) });

        using var response = await OpenAsync(server, Stream);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        gate.SetResult();

        Assert.Contains("\"content\":\"x\"", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stop_RunningRequestsWithinTheLimit_AreDrained()
    {
        var gate = new TaskCompletionSource();
        var engine = new ScriptedEngine { Script = (_, _) => ServerFixture.Ids("</think>x"), BeforeToken = ct => gate.Task.WaitAsync(ct) };
        await using var server = await ServerFixture.StartAsync(engine, options => options with { DrainTimeout = TimeSpan.FromSeconds(20) });

        var running = server.SendAsync("/v1/chat/completions", Whole);
        await ServerFixture.UntilAsync(() => engine.Running == 1);
        var stop = server.App.StopAsync(TestContext.Current.CancellationToken);
        using var health = await server.Client.GetAsync(new Uri("/health", UriKind.Relative), TestContext.Current.CancellationToken);
        var (refused, _) = await server.SendAsync("/v1/chat/completions", Whole);
        gate.SetResult();

        Assert.Equal(200, (await running).Status);
        await stop;
        Assert.Equal(503, (int)health.StatusCode);
        Assert.Equal(503, refused);
    }

    [Fact]
    public async Task Stop_RunningRequestsOverTheLimit_AreCancelledWithAnError()
    {
        var engine = Endless();
        await using var server = await ServerFixture.StartAsync(engine);

        var whole = server.SendAsync("/v1/chat/completions", Whole);
        using var response = await OpenAsync(server, Stream);
        await ServerFixture.UntilAsync(() => engine.Running == 2);
        var stop = server.App.StopAsync(TestContext.Current.CancellationToken);
        string transcript = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        await stop;

        Assert.Equal(503, (await whole).Status);
        Assert.Contains("\"code\":\"shutting_down\"", transcript, StringComparison.Ordinal);
        Assert.Equal(0, engine.Running);
    }

    [Fact]
    public async Task Metrics_AfterTraffic_ParseAndCount()
    {
        var engine = new ScriptedEngine { Script = (_, _) => ServerFixture.Ids("</think>abc") };
        await using var server = await ServerFixture.StartAsync(engine);
        await using var other = await ServerFixture.StartAsync(new ScriptedEngine());
        await server.SendAsync("/v1/chat/completions", Whole);
        await server.SendAsync("/v1/chat/completions", "{}");
        await other.SendAsync("/v1/chat/completions", "{}");

        string text = await server.GetTextAsync("/metrics");

        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            Assert.True(line[0] == '#' || Sample().IsMatch(line), line);
        Assert.Equal(1, Value(text, "hadal_requests_total", "outcome=\"ok\"", "route=\"/v1/chat/completions\""));
        Assert.Equal(1, Value(text, "hadal_requests_total", "outcome=\"client_error\"", "route=\"/v1/chat/completions\""));
        Assert.Equal(5, Value(text, "hadal_generated_tokens_total", "model=\"toy/model\""));
        Assert.Equal(100, Value(text, "hadal_kv_pages"));
        Assert.Equal(7, Value(text, "hadal_kv_pages_used"));
        Assert.Equal(1.5, Value(text, "hadal_engine_step_seconds_total"));
        Assert.Equal(1, Value(text, "hadal_time_to_first_token_seconds_count"));
        Assert.Equal(4, Value(text, "hadal_inter_token_latency_seconds_count"));
        Assert.Equal(1, Value(text, "hadal_request_duration_seconds_count"));
        Assert.Equal(0, Value(text, "hadal_requests_running"));
    }

    [Fact]
    public async Task Version_SaysOne()
    {
        await using var server = await ServerFixture.StartAsync(new ScriptedEngine());

        Assert.Matches("^\\{\"version\":\"[0-9]+\\.[0-9]+", await server.GetTextAsync("/version"));
    }

    private static ScriptedEngine Endless() => new() { Script = (_, _) => [65], Endless = true, MaxContextLen = 1_000_000, BeforeToken = ct => Task.Delay(5, ct) };

    private static double Value(string metrics, string name, params string[] labels)
    {
        string line = Assert.Single(
            metrics.Split('\n'),
            l => (l.StartsWith(name + "{", StringComparison.Ordinal) || l.StartsWith(name + " ", StringComparison.Ordinal)) && labels.All(label => l.Contains(label, StringComparison.Ordinal)));
        return double.Parse(line[(line.IndexOf("} ", StringComparison.Ordinal) + 2)..].Split(' ')[0]);
    }

    private static async Task<HttpResponseMessage> OpenAsync(ServerFixture server, string json)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(server.BaseAddress, "/v1/chat/completions")) { Content = new StringContent(json, Encoding.UTF8, "application/json") };
        return await server.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
    }

    [GeneratedRegex("\"content\":\"([^\"]*)\"")]
    private static partial Regex Content();

    [GeneratedRegex("\"text\":\"A\"")]
    private static partial Regex Text();

    [GeneratedRegex("^[a-z_:][a-z0-9_:]*(\\{([a-z_]+=\"[^\"]*\",?)*\\})? [-+0-9.eEInfNa]+( [0-9]+)?$")]
    private static partial Regex Sample();
}
