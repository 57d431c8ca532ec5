using System.ClientModel;
using System.Text.Json;
using Hadal.Demo;
using OpenAI;
using OpenAI.Chat;

namespace Hadal.Server.Tests.Demo;

/// <summary>The bundled model held to forms, over the socket: it knows no JSON, so that all of the form is the grammar's doing.</summary>
public sealed class DemoStructuredTests(DemoServer demo) : IClassFixture<DemoServer>
{
    private const string Schema = """{"type":"object","properties":{"name":{"type":"string","maxLength":20},"age":{"type":"integer","minimum":1,"maximum":99},"kind":{"enum":["cat","dog"]}},"required":["name","age","kind"],"additionalProperties":false}""";

    private const string Sum = "\"model\":\"hadal-demo\",\"messages\":[{\"role\":\"user\",\"content\":\"Wendy had 5 sandwiches and found 6 more. How many sandwiches does she have now?\"}]";

    private const string Chat = "\"model\":\"hadal-demo\",\"messages\":[{\"role\":\"user\",\"content\":\"Tell me a story.\"}]";

    [Fact]
    public async Task JsonSchema_EveryAnswer_ParsesAndFits()
    {
        (int status, JsonElement body) = await SendAsync("{" + Chat + ",\"n\":4,\"temperature\":1,\"seed\":3,\"max_reasoning_tokens\":20,\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"pet\",\"strict\":true,\"schema\":" + Schema + "}}}");
        Assert.Equal(200, status);
        Assert.Equal(4, body.GetProperty("choices").GetArrayLength());
        foreach (JsonElement choice in body.GetProperty("choices").EnumerateArray())
        {
            Assert.Equal("stop", choice.GetProperty("finish_reason").GetString());
            using JsonDocument answer = JsonDocument.Parse(choice.GetProperty("message").GetProperty("content").GetString()!);
            Assert.Equal(["name", "age", "kind"], answer.RootElement.EnumerateObject().Select(p => p.Name));
            Assert.InRange(answer.RootElement.GetProperty("age").GetInt32(), 1, 99);
            Assert.Contains(answer.RootElement.GetProperty("kind").GetString(), (string[])["cat", "dog"]);
        }
    }

    [Fact]
    public async Task JsonSchema_Streamed_IsTheSame()
    {
        var client = new ChatClient(DemoModel.Name, new ApiKeyCredential("none"), new OpenAIClientOptions { Endpoint = new Uri(demo.Server.BaseAddress, "v1") });
        var options = new ChatCompletionOptions { Temperature = 0, ResponseFormat = ChatResponseFormat.CreateJsonSchemaFormat("pet", BinaryData.FromString(Schema), jsonSchemaIsStrict: true) };
        ChatCompletion whole = await client.CompleteChatAsync([new UserChatMessage("Tell me a story.")], options, TestContext.Current.CancellationToken);
        string streamed = "";
        await foreach (StreamingChatCompletionUpdate update in client.CompleteChatStreamingAsync([new UserChatMessage("Tell me a story.")], options, TestContext.Current.CancellationToken))
            streamed += string.Concat(update.ContentUpdate.Select(p => p.Text));
        Assert.Equal(whole.Content[0].Text, streamed);
        using JsonDocument answer = JsonDocument.Parse(streamed);
        Assert.Equal(3, answer.RootElement.GetPropertyCount());
    }

    [Fact]
    public async Task Choice_IsOneOfThem_AlsoAmongOthersAndWithLogProbs()
    {
        (int Status, JsonElement Body)[] answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => i % 2 == 0
            ? SendAsync($$"""{{{Chat}},"temperature":1,"seed":{{i}},"logprobs":true,"top_logprobs":2,"max_reasoning_tokens":5,"guided_choice":["blue whale","red panda","re"]}""")
            : SendAsync($$"""{{{Chat}},"temperature":1,"seed":{{i}},"max_tokens":12}""")));
        Assert.All(answers, a => Assert.Equal(200, a.Status));
        for (int i = 0; i < 8; i += 2)
        {
            JsonElement choice = answers[i].Body.GetProperty("choices")[0];
            Assert.Contains(choice.GetProperty("message").GetProperty("content").GetString(), (string[])["blue whale", "red panda", "re"]);
            Assert.Equal("stop", choice.GetProperty("finish_reason").GetString());
        }
    }

    [Fact]
    public async Task Budget_EndsTheThinkingAndTheModelAnswers()
    {
        (_, JsonElement free) = await SendAsync($$"""{{{Sum}},"temperature":0,"max_tokens":60}""");
        Assert.True(ReasoningTokens(free) > 7);
        foreach (int budget in (int[])[0, 4])
        {
            (_, JsonElement body) = await SendAsync($$"""{{{Sum}},"temperature":0,"max_tokens":60,"max_reasoning_tokens":{{budget}}}""");
            // The marker that closes it is counted with the thinking.
            Assert.Equal(budget + 1, ReasoningTokens(body));
            Assert.NotEmpty(body.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!);
        }
    }

    [Fact]
    public async Task Completions_RegexWithStopAndCache_HoldTogether()
    {
        string prompt = string.Concat(Enumerable.Repeat("Once upon a time there was a dog. ", 10));
        for (int i = 0; i < 2; i++)
        {
            (int status, JsonElement body) = await demo.Server.SendAsync("/v1/completions", $$"""{"model":"hadal-demo","prompt":"{{prompt}}","temperature":1,"seed":{{i}},"max_tokens":40,"n":2,"guided_regex":"[A-Z][a-z]{2,8}( [a-z]{1,7}){2,4}\\.","stop":["@"]}""");
            Assert.Equal(200, status);
            foreach (JsonElement choice in body.GetProperty("choices").EnumerateArray())
                Assert.Matches("^[A-Z][a-z]{2,8}( [a-z]{1,7}){2,4}\\.$", choice.GetProperty("text").GetString());
        }

        (_, JsonElement stopped) = await demo.Server.SendAsync("/v1/completions", """{"model":"hadal-demo","prompt":"Once","temperature":0,"max_tokens":40,"guided_regex":"(abc)+","stop":["cab"]}""");
        Assert.Equal("ab", stopped.GetProperty("choices")[0].GetProperty("text").GetString());
    }

    private static int ReasoningTokens(JsonElement body) => body.GetProperty("usage").GetProperty("completion_tokens_details").GetProperty("reasoning_tokens").GetInt32();

    private Task<(int Status, JsonElement Body)> SendAsync(string json) => demo.Server.SendAsync("/v1/chat/completions", json);
}
