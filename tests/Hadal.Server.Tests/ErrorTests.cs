using System.Net;
using System.Text;
using System.Text.Json;
using Hadal.Engine;
using Hadal.Server.Tests.Fakes;

namespace Hadal.Server.Tests;

public sealed class ErrorTests
{
    private const string User = "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]";

    [Fact]
    public async Task Chat_MalformedBodies_AreRefusedByFieldAndTheServerLivesOn()
    {
        var engine = new ScriptedEngine { Script = (_, _) => ServerFixture.Ids("ok") };
        await using var server = await ServerFixture.StartAsync(engine);
        (string? Param, string Body)[] corpus =
        [
            (null, ""), (null, "{"), (null, "[]"), (null, "\"x\""), (null, "null"), (null, "{} {}"), (null, "{'model':'toy'}"), (null, "{\"model\":\"toy\",}"),
            (null, "{\"model\":\"toy\",\"model\":\"toy\"," + User + "}"),
            (null, "{\"model\":\"toy\",\"x\":" + new string('[', 100) + new string(']', 100) + "}"),
            (null, "{\"model\":\"toy\",\"temperature\":NaN," + User + "}"),
            (null, "{\"model\":\"toy\",\"messages\":[{\"role\":\"user\",\"content\":\"\\ud800\"}]}"),
            (null, "{\"model\":\"toy\",\"\\udc00\":1}"),
            ("model", "{" + User + "}"), ("model", "{\"model\":7," + User + "}"), ("model", "{\"model\":null," + User + "}"),
            ("messages", Body("\"messages\":[]")), ("messages", Body("\"messages\":\"hi\"")), ("messages", Body("\"n\":1")),
            ("messages[0]", Body("\"messages\":[7]")),
            ("messages[0].role", Body("\"messages\":[{\"content\":\"x\"}]")),
            ("messages[0].role", Body("\"messages\":[{\"role\":\"king\",\"content\":\"x\"}]")),
            ("messages[0].content", Body("\"messages\":[{\"role\":\"user\"}]")),
            ("messages[0].content", Body("\"messages\":[{\"role\":\"user\",\"content\":7}]")),
            ("messages[0].content[0]", Body("\"messages\":[{\"role\":\"user\",\"content\":[\"x\"]}]")),
            ("messages[0].content[0].type", Body("\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"x\"}}]}]")),
            ("messages[0].content[0].text", Body("\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]")),
            ("messages", Body("\"messages\":[{\"role\":\"assistant\",\"content\":\"first\"}]")),
            ("temperature", Chat("\"temperature\":-1")), ("temperature", Chat("\"temperature\":2.1")), ("temperature", Chat("\"temperature\":\"hot\"")), ("temperature", Chat("\"temperature\":1e999")),
            ("top_p", Chat("\"top_p\":0")), ("top_p", Chat("\"top_p\":1.5")), ("top_k", Chat("\"top_k\":-2")), ("top_k", Chat("\"top_k\":1.5")), ("min_p", Chat("\"min_p\":2")),
            ("repetition_penalty", Chat("\"repetition_penalty\":0")), ("presence_penalty", Chat("\"presence_penalty\":3")), ("frequency_penalty", Chat("\"frequency_penalty\":[]")),
            ("n", Chat("\"n\":0")), ("n", Chat("\"n\":1000000")), ("n", Chat("\"n\":99999999999999999999")), ("max_tokens", Chat("\"max_tokens\":-5")), ("max_tokens", Chat("\"max_tokens\":0")),
            ("max_completion_tokens", Chat("\"max_completion_tokens\":\"many\"")), ("min_tokens", Chat("\"min_tokens\":-1")), ("seed", Chat("\"seed\":1.5")),
            ("stop", Chat("\"stop\":7")), ("stop", Chat("\"stop\":\"\"")), ("stop[1]", Chat("\"stop\":[\"a\",7]")), ("stop", Chat("\"stop\":[" + string.Join(',', Enumerable.Repeat("\"a\"", 17)) + "]")),
            ("stop_token_ids[0]", Chat("\"stop_token_ids\":[-1]")), ("stop_token_ids[0]", Chat("\"stop_token_ids\":[262]")), ("stop_token_ids[0]", Chat("\"stop_token_ids\":[\"a\"]")),
            ("logit_bias", Chat("\"logit_bias\":[1]")), ("logit_bias", Chat("\"logit_bias\":{\"x\":1}")), ("logit_bias", Chat("\"logit_bias\":{\"262\":1}")), ("logit_bias", Chat("\"logit_bias\":{\"7\":1,\"07\":1}")),
            ("logit_bias.7", Chat("\"logit_bias\":{\"7\":101}")),
            ("top_logprobs", Chat("\"top_logprobs\":5")), ("top_logprobs", Chat("\"logprobs\":true,\"top_logprobs\":21")), ("logprobs", Chat("\"logprobs\":5")),
            ("stream", Chat("\"stream\":\"yes\"")), ("stream_options", Chat("\"stream_options\":{}")), ("stream_options.include_usage", Chat("\"stream\":true,\"stream_options\":{\"include_usage\":1}")),
            ("response_format.type", Chat("\"response_format\":{\"type\":\"xml\"}")), ("response_format.json_schema", Chat("\"response_format\":{\"type\":\"json_schema\"}")), ("response_format", Chat("\"response_format\":\"json\"")),
            ("tools", Chat("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]")), ("tool_choice", Chat("\"tool_choice\":\"required\"")), ("functions", Chat("\"functions\":[{}]")), ("guided_json", Chat("\"guided_json\":7")),
            ("modalities", Chat("\"modalities\":[\"audio\"]")), ("chat_template_kwargs", Chat("\"chat_template_kwargs\":{\"messages\":[]}")), ("chat_template_kwargs", Chat("\"chat_template_kwargs\":1")),
            ("continue_final_message", Chat("\"continue_final_message\":true")), ("continue_final_message", Chat("\"continue_final_message\":true,\"add_generation_prompt\":true")),
        ];
        Assert.True(corpus.Length >= 40);
        foreach (var (param, body) in corpus)
        {
            var (status, answer) = await server.SendAsync("/v1/chat/completions", body);
            Assert.True(status == 400, $"{status} for {body}");
            AssertError(answer, param, body);
        }

        Assert.Equal(200, (await server.SendAsync("/v1/chat/completions", Chat("\"n\":1"))).Status);
    }

    [Theory]
    [InlineData("prompt", "\"n\":1")]
    [InlineData("prompt", "\"prompt\":\"\"")]
    [InlineData("prompt", "\"prompt\":[]")]
    [InlineData("prompt", "\"prompt\":7")]
    [InlineData("prompt[1]", "\"prompt\":[\"a\",7]")]
    [InlineData("prompt[1]", "\"prompt\":[\"a\",\"\"]")]
    [InlineData("prompt[1]", "\"prompt\":[[1],\"a\"]")]
    [InlineData("prompt[0]", "\"prompt\":[[]]")]
    [InlineData("prompt[0]", "\"prompt\":[-1]")]
    [InlineData("prompt[1]", "\"prompt\":[1,262]")]
    [InlineData("prompt[0]", "\"prompt\":[1.5]")]
    [InlineData("prompt[1][0]", "\"prompt\":[[1],[99999999999]]")]
    [InlineData("prompt", "\"prompt\":[\"a\",\"b\",\"c\"],\"n\":50")]
    [InlineData("suffix", "\"prompt\":\"a\",\"suffix\":\"b\"")]
    [InlineData("best_of", "\"prompt\":\"a\",\"best_of\":2")]
    [InlineData("logprobs", "\"prompt\":\"a\",\"logprobs\":true")]
    [InlineData("logprobs", "\"prompt\":\"a\",\"logprobs\":-1")]
    [InlineData("max_tokens", "\"prompt\":\"a\",\"max_tokens\":0")]
    [InlineData("echo", "\"prompt\":\"a\",\"echo\":1")]
    public async Task Completions_MalformedBody_IsRefusedByField(string param, string fields)
    {
        await using var server = await ServerFixture.StartAsync(new ScriptedEngine());

        var (status, answer) = await server.SendAsync("/v1/completions", Body(fields));

        Assert.Equal(400, status);
        AssertError(answer, param, fields);
    }

    [Fact]
    public async Task AnyRoute_HttpLevelMistakes_HaveTheErrorShape()
    {
        await using var server = await ServerFixture.StartAsync(new ScriptedEngine(), options => options with { MaxBodyBytes = 1000 });
        byte[] good = Encoding.UTF8.GetBytes(Chat("\"n\":1"));
        var client = server.Client;
        var ct = TestContext.Current.CancellationToken;

        await AssertAsync(await server.PostAsync("/v1/chat/completions", good, "text/plain"), 415, "unsupported_media_type");
        await AssertAsync(await server.PostAsync("/v1/chat/completions", good, "application/json; charset=utf-16"), 415, "unsupported_media_type");
        await AssertAsync(await server.PostAsync("/v1/chat/completions", new byte[1001]), 413, "request_too_large");
        await AssertAsync(await server.PostAsync("/v1/chat/completions", [.. "{\"model\":\""u8, 0xC3, 0x28, .. "\"}"u8]), 400, "invalid_json");
        await AssertAsync(await client.GetAsync(new Uri("/v1/chat/completions", UriKind.Relative), ct), 405, "method_not_allowed");
        await AssertAsync(await client.DeleteAsync(new Uri("/v1/models", UriKind.Relative), ct), 405, "method_not_allowed");
        await AssertAsync(await client.GetAsync(new Uri("/v2/nothing", UriKind.Relative), ct), 404, "unknown_url");
        await AssertAsync(await client.GetAsync(new Uri("/v1/models/none", UriKind.Relative), ct), 404, "model_not_found");
        await AssertAsync(await server.PostAsync("/v1/chat/completions", "{\"model\":\"none\"," + User + "}"), 404, "model_not_found");
    }

    [Fact]
    public async Task Chat_ChunkedBodyOverTheLimit_Is413()
    {
        await using var server = await ServerFixture.StartAsync(new ScriptedEngine(), options => options with { MaxBodyBytes = 1000 });
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(server.BaseAddress, "/v1/chat/completions")) { Content = new ByteArrayContent(new byte[5000]) };
        request.Content.Headers.ContentType = new("application/json");
        request.Headers.TransferEncodingChunked = true;

        using var response = await server.Client.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
    }

    [Fact]
    public async Task Chat_LargeBodyWithinTheLimit_IsReadWhole()
    {
        var engine = new ScriptedEngine { Script = (_, _) => ServerFixture.Ids("ok"), MaxContextLen = 10_000_000 };
        await using var server = await ServerFixture.StartAsync(engine);
        string content = new('x', 5_000_000);

        var (status, answer) = await server.SendAsync("/v1/chat/completions", Body("\"messages\":[{\"role\":\"user\",\"content\":\"" + content + "\"}]"));

        Assert.Equal(200, status);
        Assert.Equal(5_000_004, answer.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Chat_PromptOverTheContext_SaysTheNumbers(bool stream)
    {
        await using var server = await ServerFixture.StartAsync(new ScriptedEngine { MaxContextLen = 20 });

        var (status, answer) = await server.SendAsync("/v1/chat/completions", Body($"\"messages\":[{{\"role\":\"user\",\"content\":\"{new string('x', 30)}\"}}],\"stream\":{(stream ? "true" : "false")}"));

        Assert.Equal(400, status);
        var error = answer.GetProperty("error");
        Assert.Equal("context_length_exceeded", error.GetProperty("code").GetString());
        Assert.Contains("20 tokens", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Contains("34 tokens", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Chat_EngineRefusals_HaveTheirStatus(bool stream)
    {
        var engine = new ScriptedEngine();
        await using var server = await ServerFixture.StartAsync(engine);
        string body = Chat(stream ? "\"stream\":true" : "\"stream\":false");

        engine.AdmissionFailure = new QueueFullException(8);
        using var full = await server.PostAsync("/v1/chat/completions", body);
        Assert.NotNull(full.Headers.RetryAfter);
        await AssertAsync(full, 429, "queue_full");

        engine.AdmissionFailure = new InvalidRequestException("top_k", "too bold");
        var (status, answer) = await server.SendAsync("/v1/chat/completions", body);
        Assert.Equal(400, status);
        AssertError(answer, "top_k", body);

        engine.AdmissionFailure = new InvalidOperationException("secret internals");
        using var broken = await server.PostAsync("/v1/chat/completions", body);
        Assert.DoesNotContain("secret", await broken.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        await AssertAsync(broken, 500, "internal_error");
    }

    [Fact]
    public async Task Chat_EngineFailsAmidst_Is500WithoutInternals()
    {
        await using var server = await ServerFixture.StartAsync(new ScriptedEngine { Script = (_, _) => ServerFixture.Ids("abc"), FailAfterTokens = 1 });

        var (status, answer) = await server.SendAsync("/v1/chat/completions", Chat("\"n\":1"));

        Assert.Equal(500, status);
        Assert.DoesNotContain("secret", answer.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnyRoute_WithApiKeys_WantsOneOfThem()
    {
        await using var server = await ServerFixture.StartAsync(new ScriptedEngine(), options => options with { ApiKeys = ["sesame", "other"] });
        var ct = TestContext.Current.CancellationToken;
        var models = new Uri("/v1/models", UriKind.Relative);

        await AssertAsync(await server.Client.GetAsync(models, ct), 401, "invalid_api_key");
        server.Client.DefaultRequestHeaders.Authorization = new("Bearer", "wrong");
        await AssertAsync(await server.Client.GetAsync(models, ct), 401, "invalid_api_key");
        server.Client.DefaultRequestHeaders.Authorization = null;
        Assert.Contains("ok", await server.GetTextAsync("/health"), StringComparison.Ordinal);
        server.Client.DefaultRequestHeaders.Authorization = new("Bearer", "sesame");
        Assert.Contains("toy/model", await server.GetTextAsync("/v1/models"), StringComparison.Ordinal);
    }

    private static string Body(string fields) => "{\"model\":\"toy\"," + fields + "}";

    private static string Chat(string fields) => Body(User + "," + fields);

    private static void AssertError(JsonElement answer, string? param, string body)
    {
        var error = answer.GetProperty("error");
        Assert.True(error.GetProperty("param").GetString() == param, $"param is {error.GetProperty("param")} for {body}: {error}");
        Assert.Equal("invalid_request_error", error.GetProperty("type").GetString());
        Assert.False(string.IsNullOrEmpty(error.GetProperty("message").GetString()));
        Assert.True(error.TryGetProperty("code", out _));
    }

    private static async Task AssertAsync(HttpResponseMessage response, int status, string code)
    {
        using (response)
        {
            Assert.Equal(status, (int)response.StatusCode);
            Assert.Equal("application/json", response.Content.Headers.ContentType?.MediaType);
            using var document = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
            Assert.Equal(code, document.RootElement.GetProperty("error").GetProperty("code").GetString());
        }
    }
}
