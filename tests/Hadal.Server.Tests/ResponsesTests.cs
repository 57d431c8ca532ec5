using System.ClientModel;
using System.Text.Json;
using Hadal.Server.Responses;
using Hadal.Server.Tests.Fakes;
using OpenAI.Responses;

namespace Hadal.Server.Tests;

/// <summary>/v1/responses, on the wire and by the OpenAI package's client.</summary>
public sealed class ResponsesTests
{
    [Fact]
    public async Task OpenAIClient_WholeAndStreamed_GiveTheSameText()
    {
        await using var server = await ServerFixture.StartAsync(Saying("so</think>\n\nyes 🙂"));
        var client = new ResponsesClient(new ApiKeyCredential("none"), new ResponsesClientOptions { Endpoint = new Uri(server.BaseAddress, "/v1") });
        var ct = TestContext.Current.CancellationToken;

        ResponseResult whole = (await client.CreateResponseAsync(Options(stream: false), ct)).Value;
        string text = "";
        ResponseResult? completed = null;
        await foreach (var update in await client.CreateResponseStreamingAsync(Options(stream: true), ct))
        {
            if (update is StreamingResponseOutputTextDeltaUpdate delta)
                text += delta.Delta;
            if (update is StreamingResponseCompletedUpdate end)
                completed = end.Response;
        }

        Assert.Equal("yes 🙂", whole.GetOutputText());
        Assert.Equal("yes 🙂", text);
        Assert.Equal("yes 🙂", completed!.GetOutputText());
        Assert.Equal(ResponseStatus.Completed, whole.Status);
        Assert.Equal(whole.Usage.OutputTokenCount, completed.Usage.OutputTokenCount);
    }

    [Fact]
    public async Task Stream_Events_AreNumberedAndInOrder()
    {
        await using var server = await ServerFixture.StartAsync(Saying("so</think>ab"));
        using var answer = await server.PostAsync("/v1/responses", """{"model":"toy","input":"hi","stream":true}""");
        string transcript = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);

        string[] lines = [.. transcript.Split('\n').Where(l => l.StartsWith("data: ", StringComparison.Ordinal))];
        JsonElement[] events = [.. lines.Select(l => JsonElement.Parse(l[6..]))];
        Assert.Equal(Enumerable.Range(0, events.Length), events.Select(e => e.GetProperty("sequence_number").GetInt32()));
        Assert.Equal(events.Select(e => $"event: {e.GetProperty("type").GetString()}"), transcript.Split('\n').Where(l => l.StartsWith("event: ", StringComparison.Ordinal)));
        Assert.Equal(
            [
                "response.created", "response.in_progress",
                "response.output_item.added", "response.content_part.added", "response.reasoning_text.delta", "response.reasoning_text.delta", "response.reasoning_text.done", "response.content_part.done", "response.output_item.done",
                "response.output_item.added", "response.content_part.added", "response.output_text.delta", "response.output_text.delta", "response.output_text.done", "response.content_part.done", "response.output_item.done",
                "response.completed",
            ],
            events.Select(e => e.GetProperty("type").GetString()!));
        Assert.DoesNotContain("[DONE]", transcript, StringComparison.Ordinal);
        Assert.EndsWith("\n\n", transcript, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PreviousResponse_GoesOnFromItsConversationWithoutItsInstructions()
    {
        var engine = Saying("so</think>yes");
        await using var server = await ServerFixture.StartAsync(engine);
        (_, JsonElement first) = await server.SendAsync("/v1/responses", """{"model":"toy","input":"a","instructions":"be brief"}""");
        string id = first.GetProperty("id").GetString()!;

        (int status, JsonElement second) = await server.SendAsync("/v1/responses", $$"""{"model":"toy","previous_response_id":"{{id}}","input":[{"role":"user","content":[{"type":"input_text","text":"b"}]}],"store":false}""");

        Assert.Equal((200, id), (status, second.GetProperty("previous_response_id").GetString()));
        string prompt = new ToyTokenizer().Decode([.. engine.LastRequest!.PromptTokens]);
        Assert.Equal("<user>a<assistant>yes<eos><user>b<assistant><think>", prompt.Replace("<bos>", "", StringComparison.Ordinal));
        Assert.Equal(id, JsonElement.Parse(await server.GetTextAsync("/v1/responses/" + id)).GetProperty("id").GetString());
        (status, JsonElement gone) = await server.SendAsync("/v1/responses", $$"""{"model":"toy","previous_response_id":"{{second.GetProperty("id").GetString()}}","input":"c"}""");
        Assert.Equal((400, "previous_response_id"), (status, gone.GetProperty("error").GetProperty("param").GetString()));
    }

    [Theory]
    [InlineData("""{"model":"toy"}""", "input")]
    [InlineData("""{"model":"toy","input":[]}""", "input")]
    [InlineData("""{"model":"toy","input":7}""", "input")]
    [InlineData("""{"model":"toy","input":[{"type":"computer_call"}]}""", "input[0].type")]
    [InlineData("""{"model":"toy","input":[{"role":"user","content":[{"type":"input_image","image_url":"x"}]}]}""", "input[0].content[0].type")]
    [InlineData("""{"model":"toy","input":[{"type":"function_call","name":"f","arguments":"{}"}]}""", "input[0].call_id")]
    [InlineData("""{"model":"toy","input":"x","background":true}""", "background")]
    [InlineData("""{"model":"toy","input":"x","truncation":"auto"}""", "truncation")]
    [InlineData("""{"model":"toy","input":"x","conversation":"c"}""", "conversation")]
    [InlineData("""{"model":"toy","input":"x","include":["message.output_text.logprobs"]}""", "include")]
    [InlineData("""{"model":"toy","input":"x","max_output_tokens":0}""", "max_output_tokens")]
    [InlineData("""{"model":"toy","input":"x","temperature":3}""", "temperature")]
    [InlineData("""{"model":"toy","input":"x","metadata":{"a":1}}""", "metadata.a")]
    [InlineData("""{"model":"toy","input":"x","tools":[{"type":"web_search"}]}""", "tools[0].type")]
    [InlineData("""{"model":"toy","input":"x","previous_response_id":"resp_none"}""", "previous_response_id")]
    [InlineData("""{"model":"toy","input":"x","text":{"format":{"type":"xml"}}}""", "text.format.type")]
    public async Task Create_WrongOrUnsupported_Is400WithItsParam(string body, string param)
    {
        await using var server = await ServerFixture.StartAsync(Saying("x"));
        (int status, JsonElement answer) = await server.SendAsync("/v1/responses", body);
        Assert.Equal((400, param), (status, answer.GetProperty("error").GetProperty("param").GetString()));
    }

    [Fact]
    public async Task Stream_EngineFails_EndsWithResponseFailed()
    {
        var engine = Saying("</think>abc");
        engine.FailAfterTokens = 2;
        await using var server = await ServerFixture.StartAsync(engine);
        using var answer = await server.PostAsync("/v1/responses", """{"model":"toy","input":"hi","stream":true}""");
        string last = (await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).TrimEnd().Split('\n')[^1];
        JsonElement failed = JsonElement.Parse(last["data: ".Length..]);
        Assert.Equal("response.failed", failed.GetProperty("type").GetString());
        Assert.Equal("failed", failed.GetProperty("response").GetProperty("status").GetString());
        Assert.DoesNotContain("secret internals", last, StringComparison.Ordinal);
    }

    [Fact]
    public void Store_Bounds_LeastRecentlyUsedGoesAndOwnersAreApart()
    {
        var store = new ResponseStore(maxResponses: 2, maxBytes: 1000);
        store.Add("a", new StoredResponse("me", new byte[10], "[]"));
        store.Add("b", new StoredResponse("me", new byte[10], "[]"));
        Assert.NotNull(store.Find("a", "me"));
        store.Add("c", new StoredResponse("me", new byte[10], "[]"));

        Assert.Null(store.Find("b", "me"));
        Assert.NotNull(store.Find("a", "me"));
        Assert.Null(store.Find("a", "you"));
        Assert.False(store.Delete("a", "you"));
        store.Add("d", new StoredResponse("me", new byte[2000], "[]"));
        Assert.Null(store.Find("d", "me"));
        store.Add("e", new StoredResponse("me", new byte[990], "[]"));
        Assert.Equal(1, store.Count);
        Assert.True(store.Delete("e", "me"));
        Assert.Equal(0, store.Count);
    }

    private static CreateResponseOptions Options(bool stream) => new()
    {
        Model = "toy",
        StreamingEnabled = stream,
        InputItems = { OpenAI.Responses.ResponseItem.CreateUserMessageItem("hi") },
    };

    private static ScriptedEngine Saying(string text) => new() { Script = (_, _) => ServerFixture.Ids(text) };
}
