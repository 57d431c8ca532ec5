using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Hadal.Cli.Tests;

/// <summary><c>hadal serve</c> as a process: who may reach it, what it holds in memory, and what it survives.</summary>
public sealed partial class ServeTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Serve_ToOthersWithoutKeys_IsRefused()
        => (await HadalProcess.RunAsync("serve", "--port", "0", "--host", "0.0.0.0")).ExpectError("0.0.0.0", "--api-keys", "--allow-anonymous");

    [Theory]
    [InlineData("--tls-key", "--tls-cert", "x.pem")]
    [InlineData("x.pem", "--tls-cert", "x.pem", "--tls-key", "y.pem")]
    [InlineData("https://example.org", "--cors-origin", "example.org/path")]
    public async Task Serve_WithOptionsThatCanNotBe_SaysWhatIsExpected(string mention, params string[] options)
        => (await HadalProcess.RunAsync(["serve", "--port", "0", .. options])).ExpectError(mention);

    [Theory]
    [InlineData("--idle-unload", "0s")]
    [InlineData("--request-timeout", "soon")]
    [InlineData("--slow-reader-timeout", "-1")]
    [InlineData("--max-json-depth", "2")]
    [InlineData("--model-name", "a", "--model-name", "b")]
    public async Task Serve_WithAnOptionOutOfRange_Is2(params string[] options)
    {
        HadalProcess run = await HadalProcess.RunAsync(["serve", "--port", "0", .. options]);
        Assert.Equal(2, run.ExitCode);
        Assert.Contains(options[0], run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Keys_New_MakesAKeyThatTheServerTakes()
    {
        HadalProcess made = (await HadalProcess.RunAsync("keys", "new", "--name", "alice")).ExpectSuccess();
        string key = made.Output.Trim();
        Assert.Matches("^hadal-[A-Za-z0-9_-]{43}$", key);
        Assert.Matches("^sha256:[0-9a-f]{64} name=alice$", made.Error.Trim());
        string file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, made.Error, Cancel);
            await using var server = await Server.StartAsync("--api-keys", file, "--verbose");
            Assert.Equal(HttpStatusCode.Unauthorized, (await server.Http.GetAsync(new Uri("/metrics", UriKind.Relative), Cancel)).StatusCode);
            server.Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
            Assert.Equal(HttpStatusCode.OK, (await server.Http.GetAsync(new Uri("/metrics", UriKind.Relative), Cancel)).StatusCode);
            Assert.DoesNotContain(key, await server.EndAsync(), StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task Serve_SeveralModels_LoadsEachWhenAskedForAndGivesTheMemoryBack()
    {
        await using var server = await Server.StartAsync("hadal-demo", Path.Combine(Repository.Root, "models", "demo"), "--model-name", "first", "--model-name", "second", "--idle-unload", "1s");
        Assert.Equal("first:False second:False", await ModelsAsync(server));
        Assert.Equal(8, await CompleteAsync(server, "first"));
        Assert.Equal("first:True second:False", await ModelsAsync(server));
        Assert.Equal(8, await CompleteAsync(server, "second"));
        await Server.UntilAsync(async () => await ModelsAsync(server) == "first:False second:False");

        // The first round left what the runtime keeps for good (its own machine code above all); a second one must leave no more.
        long before = server.ResidentBytes();
        Assert.Equal(8, await CompleteAsync(server, "first"));
        Assert.Equal(8, await CompleteAsync(server, "second"));
        long loaded = server.ResidentBytes();
        await Server.UntilAsync(async () => await ModelsAsync(server) == "first:False second:False");
        Assert.True(loaded > before, $"{before >> 20} MiB before, {loaded >> 20} loaded");
        Assert.True(server.ResidentBytes() < before + ((loaded - before) / 2), $"{before >> 20} MiB before, {loaded >> 20} loaded, {server.ResidentBytes() >> 20} unloaded");
        Assert.Equal(8, await CompleteAsync(server, "first"));
    }

    [Fact]
    public async Task Serve_ModelThatIsNotThere_IsSaidAtTheStart()
        => (await HadalProcess.RunAsync("serve", "hadal-demo", "/nonexistent/model", "--port", "0")).ExpectError("/nonexistent/model");

    [Fact]
    public async Task Serve_LoggingToAFullDisk_ServesOn()
    {
        Assert.SkipUnless(File.Exists("/dev/full"), "needs /dev/full");
        int port = FreePort();
        using Process process = HadalProcess.StartOther("/bin/sh", "-c", $"exec \"$0\" serve --port {port} --verbose >/dev/full", HadalProcess.Executable);
        await using var server = new Server(process, new Uri($"http://127.0.0.1:{port}"));
        await server.UntilHealthyAsync();
        for (int i = 0; i < 50; i++)
            Assert.Equal(8, await CompleteAsync(server, "hadal-demo"));
    }

    [Fact]
    public async Task Serve_KilledAmidAnAnswer_StartsAgainOnTheSamePort()
    {
        int port = FreePort();
        await using (Server first = await Server.StartAsync("--port", $"{port}"))
        {
            using var message = new HttpRequestMessage(HttpMethod.Post, "/v1/completions") { Content = Json("""{"model":"hadal-demo","prompt":"Once","max_tokens":1500,"ignore_eos":true,"stream":true}""") };
            using HttpResponseMessage response = await first.Http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, Cancel);
            first.Process.Kill();
            await Assert.ThrowsAnyAsync<Exception>(() => response.Content.ReadAsStringAsync(Cancel));
        }

        await using Server second = await Server.StartAsync("--port", $"{port}");
        Assert.Equal(8, await CompleteAsync(second, "hadal-demo"));
    }

    private static StringContent Json(string text) => new(text, Encoding.UTF8, "application/json");

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static async Task<int> CompleteAsync(Server server, string model)
    {
        using HttpResponseMessage response = await server.Http.PostAsync(
            new Uri("/v1/completions", UriKind.Relative), Json($$"""{"model":"{{model}}","prompt":"Once upon a time","max_tokens":8,"ignore_eos":true,"temperature":0}"""), Cancel);
        string text = await response.Content.ReadAsStringAsync(Cancel);
        Assert.True(response.IsSuccessStatusCode, text);
        return JsonDocument.Parse(text).RootElement.GetProperty("usage").GetProperty("completion_tokens").GetInt32();
    }

    private static async Task<string> ModelsAsync(Server server)
        => string.Join(' ', JsonDocument.Parse(await server.Http.GetStringAsync(new Uri("/v1/models", UriKind.Relative), Cancel)).RootElement.GetProperty("data").EnumerateArray()
            .Select(m => $"{m.GetProperty("id").GetString()}:{m.GetProperty("loaded").GetBoolean()}"));

    private sealed partial class Server(Process process, Uri address, string? log = null) : IAsyncDisposable
    {
        public Process Process => process;

        public HttpClient Http { get; } = new() { BaseAddress = address, Timeout = TimeSpan.FromMinutes(2) };

        /// <summary>Its output goes to a file: reading pipes would hold threads of the pool that the client needs.</summary>
        public static async Task<Server> StartAsync(params string[] arguments)
        {
            string log = Path.GetTempFileName();
            Process process = HadalProcess.StartOther(
                "/bin/sh",
                ["-c", "log=$1; shift; exec \"$0\" serve \"$@\" >\"$log\" 2>&1", HadalProcess.Executable, log, .. arguments, .. arguments.Contains("--port") ? [] : (string[])["--port", "0"]]);
            for (int i = 0; i < 600 && !process.HasExited; i++)
            {
                if (Address().Match(await File.ReadAllTextAsync(log, Cancel)) is { Success: true } match)
                    return new Server(process, new Uri(match.Groups[1].Value), log);
                await Task.Delay(100, Cancel);
            }

            string said = await File.ReadAllTextAsync(log, Cancel);
            process.Kill();
            process.Dispose();
            throw new InvalidOperationException("The server did not listen: " + said);
        }

        public static async Task UntilAsync(Func<Task<bool>> condition)
        {
            for (int i = 0; i < 300 && !await condition(); i++)
                await Task.Delay(100, Cancel);
            Assert.True(await condition(), "What was waited for did not come about within 30 seconds.");
        }

        public long ResidentBytes()
        {
            process.Refresh();
            return process.WorkingSet64;
        }

        public async Task UntilHealthyAsync() => await UntilAsync(async () =>
        {
            try
            {
                return (await Http.GetAsync(new Uri("/health", UriKind.Relative), Cancel)).IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        });

        /// <summary>Ends it, and gives what it said.</summary>
        public async Task<string> EndAsync()
        {
            if (!process.HasExited)
                process.Kill();
            await process.WaitForExitAsync(Cancel);
            return log is null ? "" : await File.ReadAllTextAsync(log, Cancel);
        }

        public async ValueTask DisposeAsync()
        {
            await EndAsync();
            Http.Dispose();
            process.Dispose();
            if (log is not null)
                File.Delete(log);
        }

        [GeneratedRegex(@"Listening on (http://[0-9.]+:[0-9]+),")]
        private static partial Regex Address();
    }
}
