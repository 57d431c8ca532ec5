using System.Text.Json;
using System.Text.RegularExpressions;
using Hadal.Server.Tests.Fakes;

namespace Hadal.Server.Tests;

/// <summary>What goes over the wire, byte for byte (ids and times replaced).</summary>
public sealed partial class TranscriptTests
{
    private const string ChatHead = """data: {"id":"ID","object":"chat.completion.chunk","created":0,"model":"toy/model","choices":[""";
    private const string TextHead = """data: {"id":"ID","object":"text_completion","created":0,"model":"toy/model","choices":[""";

    [Fact]
    public async Task ChatStream_ThinkingThenContent_IsExactlyThis()
    {
        await using var server = await ServerFixture.StartAsync(Saying("so\n</think>\n\né"));

        string transcript = await PostAsync(server, "/v1/chat/completions", """{"model":"toy","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}""");

        Assert.Equal(
            string.Concat(
                new[]
                {
                    Delta("\"role\":\"assistant\",\"content\":\"\""),
                    Delta("\"reasoning_content\":\"s\""),
                    Delta("\"reasoning_content\":\"o\""),
                    Delta("\"reasoning_content\":\"\\n\""),
                    Delta("\"content\":\"é\""),
                    Delta("", "\"stop\""),
                }.Select(delta => ChatHead + delta + """],"usage":null}""" + "\n\n"))
            + ChatHead + """],"usage":{"prompt_tokens":6,"completion_tokens":9,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":2},"prompt_cache_hit_tokens":2,"prompt_cache_miss_tokens":4,"completion_tokens_details":{"reasoning_tokens":4}}}""" + "\n\n"
            + "data: [DONE]\n\n",
            transcript);
    }

    [Fact]
    public async Task CompletionStream_PlainText_IsExactlyThis()
    {
        await using var server = await ServerFixture.StartAsync(Saying("ab"));

        string transcript = await PostAsync(server, "/v1/completions", """{"model":"toy","prompt":"x","stream":true}""");

        Assert.Equal(
            TextHead + """{"index":0,"text":"a","logprobs":null,"finish_reason":null}]}""" + "\n\n"
            + TextHead + """{"index":0,"text":"b","logprobs":null,"finish_reason":null}]}""" + "\n\n"
            + TextHead + """{"index":0,"text":"","logprobs":null,"finish_reason":"stop"}]}""" + "\n\n"
            + "data: [DONE]\n\n",
            transcript);
    }

    [Fact]
    public async Task Chat_Whole_IsExactlyThis()
    {
        await using var server = await ServerFixture.StartAsync(Saying("so</think>yes"));

        string answer = await PostAsync(server, "/v1/chat/completions", """{"model":"toy","messages":[{"role":"user","content":"hi"}]}""");

        Assert.Equal(
            """{"id":"ID","object":"chat.completion","created":0,"model":"toy/model","choices":[{"index":0,"message":{"role":"assistant","reasoning_content":"so","content":"yes","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":6,"completion_tokens":7,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":2},"prompt_cache_hit_tokens":2,"prompt_cache_miss_tokens":4,"completion_tokens_details":{"reasoning_tokens":3}}}""",
            answer);
    }

    [Fact]
    public async Task ChatStream_FailureAmidst_SendsAnErrorEventAndEnds()
    {
        var engine = Saying("abc");
        engine.FailAfterTokens = 1;
        await using var server = await ServerFixture.StartAsync(engine);

        string transcript = await PostAsync(server, "/v1/chat/completions", """{"model":"toy","messages":[{"role":"user","content":"hi"}],"stream":true}""");

        string last = transcript.Split("\n\n", StringSplitOptions.RemoveEmptyEntries)[^1];
        using var error = JsonDocument.Parse(last["data: ".Length..]);
        Assert.Equal("internal_error", error.RootElement.GetProperty("error").GetProperty("code").GetString());
        Assert.DoesNotContain("secret", transcript, StringComparison.Ordinal);
        Assert.DoesNotContain("[DONE]", transcript, StringComparison.Ordinal);
    }

    private static ScriptedEngine Saying(string text) => new() { Script = (_, _) => ServerFixture.Ids(text) };

    private static string Delta(string fields, string finish = "null") =>
        $$"""{"index":0,"delta":{{{fields}}},"logprobs":null,"finish_reason":{{finish}}}""";

    private static async Task<string> PostAsync(ServerFixture server, string path, string json)
    {
        using var response = await server.PostAsync(path, json);
        Assert.Equal(200, (int)response.StatusCode);
        string text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        return Created().Replace(Id().Replace(text, "\"id\":\"ID\""), "\"created\":0");
    }

    [GeneratedRegex("\"id\":\"(chatcmpl|cmpl)-[0-9a-f]{32}\"")]
    private static partial Regex Id();

    [GeneratedRegex("\"created\":[0-9]+")]
    private static partial Regex Created();
}
