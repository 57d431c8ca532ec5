using System.Text.Json;
using Hadal.Server.Tests.Fakes;

namespace Hadal.Server.Tests;

public sealed class GenerationTests
{
    private const string User = "\"model\":\"toy\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]";

    [Fact]
    public async Task Chat_EveryParameter_ReachesTheEngine()
    {
        var engine = Saying("x");
        await using var server = await ServerFixture.StartAsync(engine);

        var (status, _) = await server.SendAsync(
            "/v1/chat/completions",
            "{" + User + "," + """
            "temperature":0.25,"top_p":0.5,"top_k":40,"min_p":0.125,"repetition_penalty":1.5,"presence_penalty":-1,"frequency_penalty":2,
            "logit_bias":{"7":-100,"8":1.5},"seed":-1,"max_tokens":5,"max_completion_tokens":6,"min_tokens":2,"stop":["a","b"],"stop_token_ids":[9],
            "ignore_eos":true,"n":2,"user":"ignored","metadata":{"ignored":"true"},"store":false,"tools":[],"tool_choice":"auto","response_format":{"type":"text"},"unknown":[1]}
            """);

        Assert.Equal(200, status);
        var sampling = engine.LastRequest!.Sampling;
        Assert.Equal((0.25f, 0.5f, 40, 0.125f), (sampling.Temperature, sampling.TopP, sampling.TopK, sampling.MinP));
        Assert.Equal((1.5f, -1f, 2f), (sampling.RepetitionPenalty, sampling.PresencePenalty, sampling.FrequencyPenalty));
        Assert.Equal([(7, -100f), (8, 1.5f)], sampling.LogitBias!.Select(bias => (bias.Key, bias.Value)));
        Assert.Equal((ulong.MaxValue, 6, 2, true, 2), (sampling.Seed, sampling.MaxTokens, sampling.MinTokens, sampling.IgnoreEos, sampling.N));
        Assert.Equal(["a", "b"], sampling.Stop);
        Assert.Equal([9], sampling.StopTokenIds);
        Assert.Null(sampling.LogProbs);
    }

    [Fact]
    public async Task Chat_SaysNothing_TakesGenerationConfigThenOptions()
    {
        var engine = Saying("x");
        await using var server = await ServerFixture.StartAsync(engine, options => options with { DefaultTopP = 0.75f });

        await server.SendAsync("/v1/chat/completions", "{" + User + ",\"temperature\":null}");

        Assert.Equal((0.6f, 0.75f, 0), (engine.LastRequest!.Sampling.Temperature, engine.LastRequest.Sampling.TopP, engine.LastRequest.Sampling.TopK));
    }

    [Theory]
    [InlineData("so</think>\n\nyes", "so", "yes", 3)]
    [InlineData("never ends", "never ends", "", 11)]
    [InlineData("a<user>b</think>c<assistant>d", "ab", "cd", 4)]
    [InlineData("</think>spelt </think> again", null, "spelt </think> again", 1)]
    public async Task Chat_Thinking_IsSplitOff(string output, string? reasoning, string content, int reasoningTokens)
    {
        await using var server = await ServerFixture.StartAsync(Saying(output));

        var (_, answer) = await server.SendAsync("/v1/chat/completions", "{" + User + "}");

        var message = answer.GetProperty("choices")[0].GetProperty("message");
        Assert.Equal(reasoning, message.TryGetProperty("reasoning_content", out var value) ? value.GetString() : null);
        Assert.Equal(content, message.GetProperty("content").GetString());
        Assert.Equal(reasoningTokens, ReasoningTokens(answer));
    }

    [Fact]
    public async Task Chat_ThinkingSpeltByOrdinaryTokens_IsSplitOffToo()
    {
        var engine = new ScriptedEngine { Script = (_, _) => new ToyTokenizer().EncodePlain("so</think>yes", allowSpecial: false) };
        await using var server = await ServerFixture.StartAsync(engine);

        var (_, answer) = await server.SendAsync("/v1/chat/completions", "{" + User + "}");

        Assert.Equal(("so", "yes", 10), (Message(answer, 0, "reasoning_content"), Message(answer, 0, "content"), ReasoningTokens(answer)));
    }

    [Fact]
    public async Task Chat_TextLagsBehindTokens_CountsThinkingAllTheSame()
    {
        var engine = Saying("<think>so</think>yes");
        await using var server = await ServerFixture.StartAsync(ServerFixture.Toy(engine, new ToyTemplate("<assistant>")));

        var (_, answer) = await server.SendAsync("/v1/chat/completions", "{" + User + ",\"stop\":\"a stop string that is long\",\"logprobs\":true}");

        Assert.Equal(("so", "yes", 4), (Message(answer, 0, "reasoning_content"), Message(answer, 0, "content"), ReasoningTokens(answer)));
        var logProbs = answer.GetProperty("choices")[0].GetProperty("logprobs");
        Assert.Equal((4, 4), (logProbs.GetProperty("reasoning_content").GetArrayLength(), logProbs.GetProperty("content").GetArrayLength()));
    }

    [Fact]
    public async Task Chat_ReasoningOff_KeepsTheMarkersInTheContent()
    {
        await using var server = await ServerFixture.StartAsync(Saying("so</think>yes"), options => options with { Reasoning = ReasoningMode.Off });

        var (_, answer) = await server.SendAsync("/v1/chat/completions", "{" + User + "}");

        Assert.Equal("so</think>yes", Message(answer, 0, "content"));
        Assert.Equal(0, ReasoningTokens(answer));
    }

    [Fact]
    public async Task Chat_TemplateWithoutThinking_ThinksOnlyIfTheTextBeginsSo()
    {
        var engine = new ScriptedEngine { Script = (_, choice) => ServerFixture.Ids(choice == 0 ? "<think>\nso</think>\nyes" : "no <think>x</think>") };
        await using var server = await ServerFixture.StartAsync(ServerFixture.Toy(engine, new ToyTemplate("<assistant>")));

        var (_, answer) = await server.SendAsync("/v1/chat/completions", "{" + User + ",\"n\":2}");

        Assert.Equal(("so", "yes"), (Message(answer, 0, "reasoning_content"), Message(answer, 0, "content")));
        Assert.Equal("no <think>x</think>", Message(answer, 1, "content"));
    }

    [Fact]
    public async Task Chat_ContinueFinalMessage_EndsThePromptInIt()
    {
        var engine = Saying("\nmore");
        await using var server = await ServerFixture.StartAsync(engine);

        var (_, answer) = await server.SendAsync(
            "/v1/chat/completions",
            """{"model":"toy","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"Once"}],"continue_final_message":true,"add_generation_prompt":false,"chat_template_kwargs":{"enable_thinking":false}}""");

        Assert.Equal("<bos><user>hi<assistant>Once", new ToyTokenizer().Decode([.. engine.LastRequest!.PromptTokens]));
        Assert.Equal("\nmore", Message(answer, 0, "content"));
    }

    [Fact]
    public async Task Chat_SeveralChoices_EachHaveTheirOwnText()
    {
        var engine = new ScriptedEngine { Script = (_, choice) => ServerFixture.Ids($"t{choice}</think>c{choice}") };
        await using var server = await ServerFixture.StartAsync(engine);

        var (_, whole) = await server.SendAsync("/v1/chat/completions", "{" + User + ",\"n\":3}");
        var chunks = await StreamAsync(server, "/v1/chat/completions", "{" + User + ",\"n\":3,\"stream\":true,\"stream_options\":{\"include_usage\":true}}");

        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(($"t{i}", $"c{i}"), (Message(whole, i, "reasoning_content"), Message(whole, i, "content")));
            Assert.Equal(($"t{i}", $"c{i}"), (Joined(chunks, i, "reasoning_content"), Joined(chunks, i, "content")));
        }

        Assert.Equal(whole.GetProperty("usage").ToString(), chunks[^1].GetProperty("usage").ToString());
        Assert.Equal(18, whole.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        Assert.Equal(6, whole.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
    }

    [Fact]
    public async Task Chat_StreamedLogProbs_CoverEveryTokenOnItsSide()
    {
        await using var server = await ServerFixture.StartAsync(Saying("a</think>é"));

        var chunks = await StreamAsync(server, "/v1/chat/completions", "{" + User + ",\"stream\":true,\"logprobs\":true}");

        int reasoning = 0, content = 0;
        foreach (var chunk in chunks)
        {
            var logProbs = chunk.GetProperty("choices")[0].GetProperty("logprobs");
            if (logProbs.ValueKind == JsonValueKind.Null)
                continue;
            reasoning += logProbs.TryGetProperty("reasoning_content", out var r) ? r.GetArrayLength() : 0;
            content += logProbs.TryGetProperty("content", out var c) ? c.GetArrayLength() : 0;
        }

        // a and the marker; the two bytes of é and the end token.
        Assert.Equal((2, 3), (reasoning, content));
    }

    [Fact]
    public async Task Chat_Stop_EndsBeforeTheString()
    {
        await using var server = await ServerFixture.StartAsync(Saying("</think>one STOP two"));

        var (_, answer) = await server.SendAsync("/v1/chat/completions", "{" + User + ",\"stop\":\"STOP\"}");

        Assert.Equal("one ", Message(answer, 0, "content"));
        Assert.Equal("stop", answer.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
    }

    [Theory]
    [InlineData("\"ab\"", "a+b+", 1)]
    [InlineData("[\"ab\",\"c\"]", "a+b+|c+", 2)]
    [InlineData("[97,98]", "a+b+", 1)]
    [InlineData("[[97,98],[99]]", "a+b+|c+", 2)]
    public async Task Completions_EveryFormOfPrompt_IsAnswered(string prompt, string expected, int numPrompts)
    {
        var engine = new ScriptedEngine { Script = (request, choice) => ServerFixture.Ids(string.Concat(request.PromptTokens.Where(t => t < 256).Select(t => (char)t + "+"))) };
        await using var server = await ServerFixture.StartAsync(engine);

        var (_, whole) = await server.SendAsync("/v1/completions", $$"""{"model":"toy","prompt":{{prompt}},"n":2,"best_of":2,"suffix":null}""");
        var chunks = await StreamAsync(server, "/v1/completions", $$"""{"model":"toy","prompt":{{prompt}},"n":2,"stream":true}""");

        var choices = whole.GetProperty("choices");
        Assert.Equal(numPrompts * 2, choices.GetArrayLength());
        string[] texts = expected.Split('|');
        for (int i = 0; i < choices.GetArrayLength(); i++)
        {
            Assert.Equal(texts[i / 2], choices[i].GetProperty("text").GetString());
            string streamed = string.Concat(chunks.Select(c => c.GetProperty("choices")[0]).Where(c => c.GetProperty("index").GetInt32() == i).Select(c => c.GetProperty("text").GetString()));
            Assert.Equal(texts[i / 2], streamed);
        }
    }

    [Fact]
    public async Task Completions_EchoWithLogProbs_CoversPromptAndAnswer()
    {
        await using var server = await ServerFixture.StartAsync(Saying("é!"));

        var (_, answer) = await server.SendAsync("/v1/completions", """{"model":"toy","prompt":"hé","echo":true,"logprobs":2,"add_special_tokens":false}""");

        var choice = answer.GetProperty("choices")[0];
        Assert.Equal("héé!", choice.GetProperty("text").GetString());
        var logProbs = choice.GetProperty("logprobs");
        Assert.Equal(["h", "bytes:\\xc3", "bytes:\\xa9", "bytes:\\xc3", "bytes:\\xa9", "!", "<eos>"], logProbs.GetProperty("tokens").EnumerateArray().Select(t => t.GetString()!));
        Assert.Equal([0, 1, 2, 2, 3, 3, 4], logProbs.GetProperty("text_offset").EnumerateArray().Select(t => t.GetInt32()));
        Assert.Equal(JsonValueKind.Null, logProbs.GetProperty("token_logprobs")[0].ValueKind);
        Assert.Equal(JsonValueKind.Null, logProbs.GetProperty("top_logprobs")[0].ValueKind);
        Assert.Equal(2, logProbs.GetProperty("top_logprobs")[1].GetPropertyCount());
    }

    [Fact]
    public async Task Completions_EchoWithoutTokens_OnlyScoresThePrompt()
    {
        var engine = Saying("never shown");
        await using var server = await ServerFixture.StartAsync(engine);

        var (_, answer) = await server.SendAsync("/v1/completions", """{"model":"toy","prompt":"ab","echo":true,"max_tokens":0,"logprobs":0}""");

        var choice = answer.GetProperty("choices")[0];
        Assert.Equal("ab", choice.GetProperty("text").GetString());
        Assert.Equal(3, choice.GetProperty("logprobs").GetProperty("tokens").GetArrayLength());
        Assert.Equal(0, answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        Assert.Equal(1, engine.LastRequest!.Sampling.MaxTokens);
    }

    [Fact]
    public async Task Tokenize_AndBack_GivesTheText()
    {
        await using var server = await ServerFixture.StartAsync(Saying("x"));

        var (_, text) = await server.SendAsync("/tokenize", """{"prompt":"hé","add_special_tokens":false}""");
        var (_, framed) = await server.SendAsync("/tokenize", """{"text":"a","model":"toy"}""");
        var (_, chat) = await server.SendAsync("/tokenize", """{"messages":[{"role":"user","content":"a"}]}""");
        var (_, back) = await server.SendAsync("/detokenize", $$"""{"tokens":{{text.GetProperty("tokens")}}}""");
        var (none, _) = await server.SendAsync("/tokenize", "{}");
        var (outside, _) = await server.SendAsync("/detokenize", """{"tokens":[262]}""");

        Assert.Equal("""{"count":3,"max_model_len":512,"tokens":[104,195,169]}""", text.ToString());
        Assert.Equal("[256,97]", framed.GetProperty("tokens").ToString());
        Assert.Equal("[256,258,97,259,260]", chat.GetProperty("tokens").ToString());
        Assert.Equal("hé", back.GetProperty("prompt").GetString());
        Assert.Equal((400, 400), (none, outside));
    }

    private static ScriptedEngine Saying(string text) => new() { Script = (_, _) => ServerFixture.Ids(text) };

    private static string? Message(JsonElement answer, int index, string field) => answer.GetProperty("choices")[index].GetProperty("message").GetProperty(field).GetString();

    private static int ReasoningTokens(JsonElement answer) =>
        answer.GetProperty("usage").GetProperty("completion_tokens_details").GetProperty("reasoning_tokens").GetInt32();

    private static string Joined(List<JsonElement> chunks, int index, string field)
    {
        string text = "";
        foreach (var chunk in chunks)
        {
            foreach (var choice in chunk.GetProperty("choices").EnumerateArray())
            {
                if (choice.GetProperty("index").GetInt32() == index && choice.GetProperty("delta").TryGetProperty(field, out var value))
                    text += value.GetString();
            }
        }

        return text;
    }

    private static async Task<List<JsonElement>> StreamAsync(ServerFixture server, string path, string json)
    {
        using var response = await server.PostAsync(path, json);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        string[] events = (await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("data: [DONE]", events[^1]);
        var chunks = new List<JsonElement>();
        foreach (string e in events[..^1])
        {
            using var document = JsonDocument.Parse(e["data: ".Length..]);
            chunks.Add(document.RootElement.Clone());
        }

        return chunks;
    }
}
