using System.Net;
using System.Text.Json;
using Hadal.Numerics;
using Hadal.Server.Tests.Fakes;

namespace Hadal.Server.Tests;

/// <summary>Keys, quotas, host names, origins.</summary>
public sealed class AccessTests
{
    private const string Chat = """{"model":"toy","messages":[{"role":"user","content":"hi"}],"max_tokens":4}""";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task EveryRoute_ButHealth_WantsAKey()
    {
        await using var server = await ServerFixture.StartAsync(Engine(), options => options with { Keys = [ApiKey.Parse("sesame", "one")] });
        foreach (string path in (string[])["/metrics", "/v1/models", "/v1/models/toy", "/version", "/openapi.json", "/nothing"])
            Assert.Equal(401, (int)await StatusAsync(server, HttpMethod.Get, path));
        foreach (string path in (string[])["/v1/chat/completions", "/v1/completions", "/tokenize", "/detokenize"])
            Assert.Equal(401, (int)await StatusAsync(server, HttpMethod.Post, path));
        Assert.Equal(200, (int)await StatusAsync(server, HttpMethod.Get, "/health"));
    }

    [Fact]
    public async Task Key_InTheFileAsHash_LetsItsOwnerInAndNobodyElse()
    {
        (string key, string line) = ApiKey.Draw("alice");
        Assert.DoesNotContain(key, line, StringComparison.Ordinal);
        IReadOnlyList<ApiKey> keys = ApiKey.ParseAll($"# keys\n\n{line}\nplain-key name=bob priority=3\n", '\n');
        Assert.Equal(["alice", "bob"], keys.Select(k => k.Name));
        await using var server = await ServerFixture.StartAsync(Engine(), options => options with { Keys = keys });

        foreach (string good in (string[])[key, "plain-key"])
            Assert.Equal(HttpStatusCode.OK, await StatusAsync(server, HttpMethod.Get, "/v1/models", good));
        foreach (string bad in (string[])[line[7..71], line, key[..^1], key + "x", "PLAIN-KEY", ""])
            Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(server, HttpMethod.Get, "/v1/models", bad));
    }

    [Theory]
    [InlineData("sha256:123")]
    [InlineData("sha256:zz00000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("kéy")]
    [InlineData("SECRET half name=x")]
    [InlineData("SECRET name=")]
    [InlineData("SECRET priority=high")]
    [InlineData("SECRET tokens-per-minute=0")]
    [InlineData("SECRET requests-per-minute=-1")]
    [InlineData("SECRET name=a name=b")]
    [InlineData("SECRET\nSECRET name=b")]
    [InlineData("SECRET name=a\nother name=a")]
    public void KeyFile_WithAMistake_IsRefusedWithoutTheKey(string text)
        => Assert.DoesNotContain("SECRET", Assert.Throws<HadalException>(() => ApiKey.ParseAll(text, '\n')).Message, StringComparison.Ordinal);

    [Fact]
    public async Task Log_OfAllThatHappens_HoldsNeitherKeyNorPromptNorPath()
    {
        var loggers = new RecordingLoggers();
        var engine = Engine();
        await using (var server = await ServerFixture.StartAsync(ServerFixture.Toy(engine), options => options with { ApiKeys = ["sesame-key"] }, loggers))
        {
            server.Client.DefaultRequestHeaders.Authorization = new("Bearer", "sesame-key");
            await server.PostAsync("/v1/chat/completions", Chat.Replace("hi", "a secret prompt", StringComparison.Ordinal));
            await server.Client.GetAsync(new Uri("/secret-path?key=sesame-key", UriKind.Relative), Cancel);
            engine.AdmissionFailure = new InvalidOperationException("broken");
            await server.PostAsync("/v1/chat/completions", Chat.Replace("hi", "a secret prompt", StringComparison.Ordinal));
            server.Client.DefaultRequestHeaders.Authorization = new("Bearer", "wrong-key");
            await server.PostAsync("/v1/chat/completions", Chat);
        }

        Assert.Contains("broken", loggers.All, StringComparison.Ordinal);
        Assert.DoesNotContain("-key", loggers.All, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", loggers.All, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Log_OfPrompts_IsThereWhereAskedFor()
    {
        var loggers = new RecordingLoggers();
        await using var server = await ServerFixture.StartAsync(ServerFixture.Toy(Engine()), options => options with { LogPrompts = true }, loggers);
        await server.PostAsync("/v1/chat/completions", Chat.Replace("hi", "a secret prompt", StringComparison.Ordinal));
        Assert.Contains("a secret prompt", loggers.All, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0.0.0.0", false)]
    [InlineData("*", false)]
    [InlineData("192.0.2.1", false)]
    [InlineData("127.0.0.1", true)]
    [InlineData("::1", true)]
    public void Build_WithoutKeysWhereOthersReachIt_IsRefused(string host, bool isLoopback)
    {
        var options = new HadalServerOptions { Host = host, Port = 0 };
        if (isLoopback)
            OptionChecks.Check(options);
        else
            Assert.Contains("--allow-anonymous", Assert.Throws<HadalException>(() => OptionChecks.Check(options)).Message, StringComparison.Ordinal);
        OptionChecks.Check(options with { AllowAnonymous = true });
        OptionChecks.Check(options with { ApiKeys = ["k"] });
    }

    [Fact]
    public async Task Host_OfAnotherName_IsRefusedOnLoopbackWithoutKeys()
    {
        await using var server = await ServerFixture.StartAsync(Engine(), options => options with { AllowedHosts = ["hadal.test"] });
        foreach ((string host, int status) in ((string, int)[])[("127.0.0.1", 200), ("localhost:99", 200), ("hadal.test", 200), ("[::1]:80", 200), ("evil.example", 403), ("127.0.0.1.evil.example", 403)])
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(server.BaseAddress, "/v1/models"));
            request.Headers.Host = host;
            using var response = await server.Client.SendAsync(request, Cancel);
            Assert.True(status == (int)response.StatusCode, $"{(int)response.StatusCode} for {host}");
        }

        await using var withKeys = await ServerFixture.StartAsync(Engine(), options => options with { ApiKeys = ["k"] });
        using var other = new HttpRequestMessage(HttpMethod.Get, new Uri(withKeys.BaseAddress, "/health"));
        other.Headers.Host = "evil.example";
        using var answer = await withKeys.Client.SendAsync(other, Cancel);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task Cors_IsClosedUnlessAnOriginIsNamed()
    {
        await using var closed = await ServerFixture.StartAsync(Engine());
        using var refused = await PreflightAsync(closed, "https://good.example");
        Assert.Equal(HttpStatusCode.MethodNotAllowed, refused.StatusCode);
        Assert.False(refused.Headers.Contains("Access-Control-Allow-Origin"));

        await using var open = await ServerFixture.StartAsync(Engine(), options => options with { CorsOrigins = ["https://good.example"], ApiKeys = ["k"] });
        using var allowed = await PreflightAsync(open, "https://good.example");
        Assert.Equal(HttpStatusCode.NoContent, allowed.StatusCode);
        Assert.Equal("https://good.example", allowed.Headers.GetValues("Access-Control-Allow-Origin").Single());
        using var other = await PreflightAsync(open, "https://evil.example");
        Assert.Equal(HttpStatusCode.Unauthorized, other.StatusCode);
        Assert.False(other.Headers.Contains("Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task Quota_OfRequests_Is429UntilTheMinuteHasPassed()
    {
        var time = new ManualClock();
        await using var server = await ServerFixture.StartAsync(Engine(), options => options with { TimeProvider = time, Keys = [ApiKey.Parse("k requests-per-minute=2", "k")] });
        server.Client.DefaultRequestHeaders.Authorization = new("Bearer", "k");
        using var first = await server.PostAsync("/v1/chat/completions", Chat);
        Assert.Equal("2", first.Headers.GetValues("x-ratelimit-limit-requests").Single());
        Assert.Equal("1", first.Headers.GetValues("x-ratelimit-remaining-requests").Single());
        time.Advance(TimeSpan.FromSeconds(20));
        await server.PostAsync("/v1/chat/completions", Chat);
        using var third = await server.PostAsync("/v1/chat/completions", Chat);
        Assert.Equal(429, (int)third.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(40), third.Headers.RetryAfter?.Delta);
        Assert.Contains("requests_quota_exceeded", await third.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);

        // Other routes cost nothing.
        Assert.Contains("toy", await server.GetTextAsync("/v1/models"), StringComparison.Ordinal);
        time.Advance(TimeSpan.FromSeconds(41));
        Assert.Equal(200, (await server.SendAsync("/v1/chat/completions", Chat)).Status);
    }

    [Fact]
    public async Task Quota_OfTokens_CountsPromptsAndAnswers()
    {
        var time = new ManualClock();
        await using var server = await ServerFixture.StartAsync(Engine(), options => options with { TimeProvider = time, Keys = [ApiKey.Parse("k tokens-per-minute=30", "k"), ApiKey.Parse("other", "other")] });
        server.Client.DefaultRequestHeaders.Authorization = new("Bearer", "k");

        // 10 of prompt and 4 of answer each: the third finds 28 used.
        string body = """{"model":"toy","prompt":"0123456789","add_special_tokens":false,"max_tokens":4}""";
        Assert.Equal(200, (await server.SendAsync("/v1/completions", body)).Status);
        Assert.Equal(200, (await server.SendAsync("/v1/completions", body)).Status);
        await ServerFixture.UntilAsync(async () =>
        {
            using var third = await server.PostAsync("/v1/completions", body);
            return (int)third.StatusCode == 429 && third.Headers.GetValues("x-ratelimit-remaining-tokens").Single() == "2";
        });
        var (status, answer) = await server.SendAsync("/v1/completions", body.Replace("0123456789", new string('x', 31), StringComparison.Ordinal));
        Assert.Equal(429, status);
        Assert.Contains("never fit", answer.ToString(), StringComparison.Ordinal);
        server.Client.DefaultRequestHeaders.Authorization = new("Bearer", "other");
        Assert.Equal(200, (await server.SendAsync("/v1/completions", body)).Status);
    }

    [Fact]
    public async Task Priority_OfARequest_IsWhatItsKeyMay()
    {
        var engine = Engine();
        await using var server = await ServerFixture.StartAsync(engine, options => options with { Keys = [ApiKey.Parse("k name=batch priority=5", "k")] });
        server.Client.DefaultRequestHeaders.Authorization = new("Bearer", "k");
        await server.SendAsync("/v1/chat/completions", Chat);
        Assert.Equal((5, "batch"), (engine.LastRequest!.Priority, engine.LastRequest.Tenant));
        await server.SendAsync("/v1/chat/completions", With("\"priority\":7"));
        Assert.Equal(7, engine.LastRequest!.Priority);
        var (status, answer) = await server.SendAsync("/v1/chat/completions", With("\"priority\":4"));
        Assert.Equal((400, "priority"), (status, answer.GetProperty("error").GetProperty("param").GetString()));
    }

    [Fact]
    public async Task Timeout_OfARequest_IsTheShortestOfFieldHeaderAndServer()
    {
        var engine = Engine();
        await using var server = await ServerFixture.StartAsync(engine, options => options with { RequestTimeout = TimeSpan.FromSeconds(60) });
        await server.SendAsync("/v1/chat/completions", Chat);
        Assert.Equal(TimeSpan.FromSeconds(60), engine.LastRequest!.Timeout);
        await server.SendAsync("/v1/chat/completions", With("\"timeout\":2.5"));
        Assert.Equal(TimeSpan.FromSeconds(2.5), engine.LastRequest!.Timeout);
        await server.SendAsync("/v1/chat/completions", With("\"timeout\":600"));
        Assert.Equal(TimeSpan.FromSeconds(60), engine.LastRequest!.Timeout);
        server.Client.DefaultRequestHeaders.Add("X-Request-Timeout", "7");
        await server.SendAsync("/v1/chat/completions", Chat);
        Assert.Equal(TimeSpan.FromSeconds(7), engine.LastRequest!.Timeout);
        server.Client.DefaultRequestHeaders.Remove("X-Request-Timeout");
        server.Client.DefaultRequestHeaders.Add("X-Request-Timeout", "soon");
        Assert.Equal(400, (await server.SendAsync("/v1/chat/completions", Chat)).Status);
    }

    private static string With(string field) => Chat.Replace("\"max_tokens\"", field + ",\"max_tokens\"", StringComparison.Ordinal);

    private static ScriptedEngine Engine() => new() { Script = (_, _) => [65], Endless = true };

    private static async Task<HttpResponseMessage> PreflightAsync(ServerFixture server, string origin)
    {
        using var request = new HttpRequestMessage(HttpMethod.Options, new Uri(server.BaseAddress, "/v1/chat/completions"));
        request.Headers.Add("Origin", origin);
        request.Headers.Add("Access-Control-Request-Method", "POST");
        return await server.Client.SendAsync(request, Cancel);
    }

    private static async Task<HttpStatusCode> StatusAsync(ServerFixture server, HttpMethod method, string path, string? key = null)
    {
        using var request = new HttpRequestMessage(method, new Uri(server.BaseAddress, path));
        if (key is not null)
            request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + key);
        using var response = await server.Client.SendAsync(request, Cancel);
        if (response.StatusCode == HttpStatusCode.Unauthorized)
            Assert.Equal("invalid_api_key", JsonDocument.Parse(await response.Content.ReadAsStringAsync(Cancel)).RootElement.GetProperty("error").GetProperty("code").GetString());
        return response.StatusCode;
    }
}
