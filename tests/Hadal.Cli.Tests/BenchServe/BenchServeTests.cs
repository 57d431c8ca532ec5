using System.Diagnostics;
using System.Text.Json;

namespace Hadal.Cli.Tests.BenchServe;

/// <summary>The load generator as a process, against a real server and against wrong ones.</summary>
public sealed class BenchServeTests
{
    private const string Usage = """data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}""" + "\n\n";
    private const string Text = """data: {"choices":[{"index":0,"delta":{"content":"a"}}]}""" + "\n\n";
    private const string Finish = """data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""" + "\n\n";
    private const string Done = "data: [DONE]\n\n";

    [Fact]
    public async Task Bench_HadalServe_ClosedAndOpenLoop()
    {
        using Process server = HadalProcess.Start("serve", "--port", "0");
        try
        {
            string url = await ListeningAsync(server);
            JsonElement closed = await ResultAsync("--base-url", url, "--num-prompts", "12", "--max-concurrency", "4", "--input-len", "40", "--output-len", "8", "--percentiles", "50,99.9", "--api-key", "not-to-be-seen");
            Assert.Equal((12, 0, 4), (closed.GetProperty("num_succeeded").GetInt32(), closed.GetProperty("num_failed").GetInt32(), closed.GetProperty("peak_concurrency").GetInt32()));
            Assert.Equal(12 * 8, closed.GetProperty("output_tokens").GetInt32());
            Assert.InRange(closed.GetProperty("prompt_tokens").GetInt32(), 12 * 30, 12 * 50);
            Assert.Equal(12, closed.GetProperty("ttft_ms").GetProperty("count").GetInt32());
            Assert.True(closed.GetProperty("e2e_ms").GetProperty("percentiles").GetProperty("p99.9").GetDouble() > 0);
            Assert.Equal("hadal-demo", closed.GetProperty("settings").GetProperty("model").GetString());
            Assert.DoesNotContain("not-to-be-seen", closed.ToString(), StringComparison.Ordinal);

            string talks = Path.Combine(Path.GetTempPath(), $"talks-{Guid.NewGuid():N}.jsonl");
            await File.WriteAllTextAsync(talks, """
                {"id": "x", "conversations": [{"from": "system", "value": "s"}, {"from": "human", "value": "What is 1 + 1?"}, {"from": "gpt", "value": "It is two."}]}

                {"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Good day to you."}]}
                {"prompt": "Once", "output_len": 3}
                """, TestContext.Current.CancellationToken);
            JsonElement open = await ResultAsync("--base-url", url + "/v1", "--endpoint", "completions", "--dataset", "sharegpt-jsonl", "--dataset-path", talks, "--request-rate", "50", "--num-prompts", "9", "--goodput", "e2e:60000");
            File.Delete(talks);
            Assert.Equal((9, 1.0), (open.GetProperty("num_succeeded").GetInt32(), open.GetProperty("goodput_share").GetDouble()));
            Assert.Equal(9, open.GetProperty("lag_ms").GetProperty("count").GetInt32());
            Assert.Equal("open", open.GetProperty("settings").GetProperty("loop").GetString());
        }
        finally
        {
            server.Kill();
        }
    }

    [Theory]
    [InlineData("malformed_stream", "200 OK", "text/event-stream", Text + "data: {\"choices\"\n\n" + Done)]
    [InlineData("malformed_stream", "200 OK", "text/event-stream", Text + Finish + Done + Text)]
    [InlineData("malformed_stream", "200 OK", "text/event-stream", Text + "data: {\"choi")]
    [InlineData("stream_cut", "200 OK", "text/event-stream", Text + Finish)]
    [InlineData("no_finish_reason", "200 OK", "text/event-stream", Text + Done)]
    [InlineData("not_a_stream", "200 OK", "application/json", "{}")]
    [InlineData("http_429 queue_full", "429 Too Many Requests", "application/json", """{"error":{"message":"m","type":"rate_limit_error","param":null,"code":"queue_full"}}""")]
    [InlineData("http_502", "502 Bad Gateway", "text/html", "<html>")]
    [InlineData("stream_error shutting_down", "200 OK", "text/event-stream", Text + """data: {"error":{"message":"m","type":"server_error","code":"shutting_down"}}""" + "\n\n")]
    public async Task Bench_WrongServer_CountsTheErrorByKindAndFails(string kind, string status, string type, string body)
    {
        await using var server = new RawServer(request => request.Contains("\"stream\":true", StringComparison.Ordinal)
            ? RawServer.Response(status, type, body)
            : RawServer.Response("200 OK", "application/json", """{"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":9,"completion_tokens":1}}"""));

        HadalProcess run = await HadalProcess.RunAsync("bench", "serve", "--base-url", server.Url, "--model", "m", "--num-prompts", "3");

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("3 of 3 requests failed", run.Error, StringComparison.Ordinal);
        using JsonDocument result = JsonDocument.Parse(run.Output);
        Assert.Equal(3, result.RootElement.GetProperty("errors").GetProperty(kind).GetInt32());
    }

    [Fact]
    public async Task Bench_PeerWithoutUsage_CountsChunksAndSaysSo()
    {
        await using var server = new RawServer(request => request.StartsWith("GET", StringComparison.Ordinal)
            ? RawServer.Response("200 OK", "application/json", """{"data":[{"id":"peer"}]}""")
            : request.Contains("\"stream\":true", StringComparison.Ordinal)
            ? RawServer.Response("200 OK", "text/event-stream", ": hello\r\n\r\n" + Text.Replace("\n", "\r\n", StringComparison.Ordinal) + Text + Text + Finish + Done)
            : RawServer.Response("200 OK", "application/json", """{"choices":[{"message":{"content":"a"}}]}"""));

        JsonElement result = await ResultAsync("--base-url", server.Url, "--num-prompts", "2");

        Assert.Equal((6, "chunks"), (result.GetProperty("output_tokens").GetInt32(), result.GetProperty("output_tokens_from").GetString()));
        Assert.Equal("peer", result.GetProperty("settings").GetProperty("model").GetString());
    }

    [Fact]
    public async Task Bench_UsageGiven_GoesBeforeChunks()
    {
        await using var server = new RawServer(_ => RawServer.Response("200 OK", "text/event-stream", Text + Finish + Usage + Done));

        // The probes' answers are no JSON then: that is said before any load.
        (await HadalProcess.RunAsync("bench", "serve", "--base-url", server.Url, "--model", "m")).ExpectError("chat/completions", "no JSON");
    }

    [Theory]
    [InlineData("--dataset", "sharegpt-jsonl")]
    [InlineData("--dataset-path", "x")]
    [InlineData("--duration", "5")]
    [InlineData("--base-url", "ftp://x")]
    [InlineData("--goodput", "ttft=3")]
    [InlineData("--request-rate", "0")]
    [InlineData("--percentiles", "101")]
    [InlineData("--burstiness", "0")]
    [InlineData("--range-ratio", "1")]
    public async Task Usage_Wrong_Is2AndNamesTheCommand(string option, string value)
    {
        HadalProcess run = await HadalProcess.RunAsync("bench", "serve", option, value);
        Assert.Equal(2, run.ExitCode);
        Assert.Contains(option, run.Error, StringComparison.Ordinal);
        Assert.Contains("hadal bench serve --help", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bench_Interrupted_GivesThePartialResult()
    {
        HadalProcess.SkipWhereInterruptsAreIgnored();
        using Process server = HadalProcess.Start("serve", "--port", "0");
        try
        {
            string url = await ListeningAsync(server);
            string file = Path.Combine(Path.GetTempPath(), $"partial-{Guid.NewGuid():N}.json");
            using Process bench = HadalProcess.Start("bench", "serve", "--base-url", url, "--max-concurrency", "2", "--duration", "600", "--json", file);
            await Task.Delay(2000, TestContext.Current.CancellationToken);
            using (HadalProcess.StartOther("kill", "-INT", bench.Id.ToString()))
            {
                HadalProcess end = await HadalProcess.EndAsync(bench);
                Assert.Equal(130, end.ExitCode);
                Assert.Contains("PARTIAL", end.Error, StringComparison.Ordinal);
            }

            using JsonDocument result = JsonDocument.Parse(await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken));
            File.Delete(file);
            Assert.True(result.RootElement.GetProperty("is_partial").GetBoolean());
            Assert.Equal(0, result.RootElement.GetProperty("num_failed").GetInt32());
            Assert.True(result.RootElement.GetProperty("num_succeeded").GetInt32() > 0);
        }
        finally
        {
            server.Kill();
        }
    }

    private static async Task<JsonElement> ResultAsync(params string[] arguments)
    {
        HadalProcess run = (await HadalProcess.RunAsync(["bench", "serve", .. arguments])).ExpectSuccess();
        using JsonDocument document = JsonDocument.Parse(run.Output);
        return document.RootElement.Clone();
    }

    private static async Task<string> ListeningAsync(Process server)
    {
        while (await server.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
        {
            int at = line.IndexOf("http://", StringComparison.Ordinal);
            if (at >= 0)
            {
                return line[at..].Split(',', ' ')[0];
            }
        }

        throw new InvalidOperationException("the server ended before it listened: " + await server.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
    }
}
