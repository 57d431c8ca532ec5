using System.Text.Json;
using System.Text.Json.Nodes;
using Hadal.Engine;
using Hadal.Extensions.AI.Http;
using Microsoft.Extensions.AI;

namespace Hadal.Extensions.AI.Tests;

/// <summary>Every member of <see cref="ChatOptions"/> is honoured or refused, by both clients.</summary>
[Collection("one model")] // In turn: they count what it does.
public sealed class OptionsTests(DemoFixture demo)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public void ChatOptions_Members_AreThoseTheseTestsKnow()
    {
        // A later package may bring an option that would then be ignored without a word: it has to be looked at first.
        string[] known =
        [
            "ConversationId", "Instructions", "Temperature", "MaxOutputTokens", "TopP", "TopK", "FrequencyPenalty", "PresencePenalty", "Seed", "Reasoning", "ResponseFormat", "ModelId", "StopSequences",
            "AllowMultipleToolCalls", "ToolMode", "Tools", "AllowBackgroundResponses", "ContinuationToken", "RawRepresentationFactory", "AdditionalProperties",
        ];
        Assert.Equal(known.Order(), typeof(ChatOptions).GetProperties().Select(p => p.Name).Order());
    }

    [Fact]
    public async Task Within_Sampling_ReachesTheEngine()
    {
        SamplingParams s = (await SentAsync(new ChatOptions
        {
            Temperature = 0.25f,
            TopP = 0.5f,
            TopK = 7,
            MaxOutputTokens = 9,
            StopSequences = ["x", "yy"],
            Seed = -1,
            FrequencyPenalty = 0.5f,
            PresencePenalty = -0.5f,
            ModelId = "recorded",
            AdditionalProperties = new() { ["min_p"] = 0.1, ["repetition_penalty"] = 1.5f, ["min_tokens"] = 2, ["ignore_eos"] = true, ["stop_token_ids"] = new[] { 4, 5 } },
        })).Sampling;

        Assert.Equal((0.25f, 0.5f, 7, (int?)9, (ulong?)ulong.MaxValue, 0.5f, -0.5f), (s.Temperature, s.TopP, s.TopK, s.MaxTokens, s.Seed, s.FrequencyPenalty, s.PresencePenalty));
        Assert.Equal((0.1f, 1.5f, 2, true), (s.MinP, s.RepetitionPenalty, s.MinTokens, s.IgnoreEos));
        Assert.Equal(["x", "yy"], s.Stop);
        Assert.Equal([4, 5], s.StopTokenIds);
    }

    [Fact]
    public async Task Within_Nothing_TakesTheModelsDefaults()
    {
        (IAsyncDisposable files, LanguageModel model, RecordingEngine engine) = RecordingEngine.Create("hi");
        await using (files)
        {
            model = model with { Config = model.Config with { DefaultTemperature = 0.6f, DefaultTopP = 0.95f, DefaultTopK = 40 } };
            await new HadalChatClient(new ReadyModel(model)).GetResponseAsync("x", cancellationToken: Ct);
            SamplingParams s = engine.Last!.Sampling;
            Assert.Equal((0.6f, 0.95f, 40, null), (s.Temperature, s.TopP, s.TopK, s.MaxTokens));
        }
    }

    [Fact]
    public async Task Within_RawRepresentation_IsTheBaseOfTheRest()
    {
        SamplingParams s = (await SentAsync(new ChatOptions { RawRepresentationFactory = _ => new SamplingParams { MinP = 0.2f, TopK = 3, Temperature = 0.1f }, Temperature = 0.9f })).Sampling;
        Assert.Equal((0.2f, 3, 0.9f), (s.MinP, s.TopK, s.Temperature));
    }

    [Fact]
    public async Task Within_Instructions_AreASystemMessageBeforeTheRest()
    {
        (IAsyncDisposable files, LanguageModel model, RecordingEngine engine) = RecordingEngine.Create("hi");
        await using (files)
        {
            await new HadalChatClient(new ReadyModel(model)).GetResponseAsync("Who?", new ChatOptions { Instructions = "Be a pirate." }, Ct);
            string prompt = model.Tokenizer.Decode([.. engine.Last!.PromptTokens]);
            int system = prompt.IndexOf("Be a pirate.", StringComparison.Ordinal);
            Assert.True(system >= 0 && system < prompt.IndexOf("Who?", StringComparison.Ordinal), prompt);
        }
    }

    public static TheoryData<string, ChatOptions> Refused => new()
    {
        { "ConversationId", new() { ConversationId = "c" } },
        { "ModelId", new() { ModelId = "other" } },
        { "Summary", new() { Reasoning = new() { Output = ReasoningOutput.Summary } } },
        { "max_reasoning_tokens", new() { AdditionalProperties = new() { ["max_reasoning_tokens"] = -1 } } },
        { "not among the Tools", new() { Tools = [AIFunctionFactory.Create(() => 1, "one")], ToolMode = ChatToolMode.RequireSpecific("two") } },
        { "two functions", new() { Tools = [AIFunctionFactory.Create(() => 1, "one"), AIFunctionFactory.Create(() => 2, "one")] } },
        { "ResponseFormat cannot be enforced", new() { ResponseFormat = ChatResponseFormat.ForJsonSchema(JsonElement.Parse("""{"type":"sometype"}""")) } },
        { "no_such_thing", new() { AdditionalProperties = new() { ["no_such_thing"] = 1 } } },
        { "min_p", new() { AdditionalProperties = new() { ["min_p"] = "much" } } },
        { "tools", new() { AdditionalProperties = new() { ["chat_template_kwargs"] = new JsonObject { ["tools"] = 1 } } } },
        { "System.String", new() { RawRepresentationFactory = _ => "raw" } },
        { "SamplingParams.N", new() { RawRepresentationFactory = _ => new SamplingParams { N = 2 } } },
        { "HostedWebSearchTool", new() { Tools = [new HostedWebSearchTool()] } },
        { "no Tools", new() { ToolMode = ChatToolMode.RequireAny } },
#pragma warning disable MEAI001
        { "AllowBackgroundResponses", new() { AllowBackgroundResponses = true } },
        { "ContinuationToken", new() { ContinuationToken = ResponseContinuationToken.FromBytes(new byte[] { 1 }) } },
#pragma warning restore MEAI001
    };

    [Theory]
    [MemberData(nameof(Refused), DisableDiscoveryEnumeration = true)]
    public async Task Within_WhatCannotBeDone_IsRefusedByName(string name, ChatOptions options)
    {
        Exception e = await Assert.ThrowsAnyAsync<Exception>(() => SentAsync(options));
        Assert.True(e is ArgumentException or NotSupportedException, e.ToString());
        Assert.Contains(name, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Within_OutOfRange_IsAnArgumentExceptionOfTheEngines()
    {
        ArgumentException e = await Assert.ThrowsAsync<ArgumentException>(() => demo.Model.AsChatClient().GetResponseAsync("x", new ChatOptions { Temperature = -1 }, Ct));
        Assert.Equal("temperature", Assert.IsType<InvalidRequestException>(e.InnerException).Parameter);
        await Assert.ThrowsAsync<ArgumentException>(() => demo.Model.AsChatClient().GetResponseAsync([], cancellationToken: Ct));
        await Assert.ThrowsAsync<ArgumentException>(() => demo.Model.AsChatClient().GetResponseAsync(new string('a', 100_000), cancellationToken: Ct));
        await Assert.ThrowsAsync<NotSupportedException>(() => demo.Model.AsChatClient().GetResponseAsync([new ChatMessage(ChatRole.User, [new DataContent(new byte[] { 1 }, "image/png")])], cancellationToken: Ct));
    }

    [Fact]
    public void Http_EveryOption_IsInTheBody()
    {
        AIFunction function = AIFunctionFactory.Create((string city) => city, "weather", "Tells the weather.");
        JsonObject body = ChatBody.Write([new ChatMessage(ChatRole.User, "hi")], new ChatOptions
        {
            Instructions = "sys",
            Temperature = 0.5f,
            TopP = 0.25f,
            TopK = 7,
            MaxOutputTokens = 9,
            StopSequences = ["x"],
            Seed = 5,
            FrequencyPenalty = 0.5f,
            PresencePenalty = -0.5f,
            ModelId = "other",
            Reasoning = new() { Effort = ReasoningEffort.Low },
            ResponseFormat = ChatResponseFormat.ForJsonSchema(JsonElement.Parse("""{"type":"object"}"""), "answer", "what it is"),
            Tools = [function],
            ToolMode = ChatToolMode.RequireSpecific("weather"),
            AllowMultipleToolCalls = false,
            RawRepresentationFactory = _ => new JsonObject { ["min_tokens"] = 3, ["temperature"] = 2 },
            AdditionalProperties = new() { ["min_p"] = 0.5, ["logit_bias"] = new Dictionary<string, object?> { ["7"] = -1 } },
        }, "m", stream: true, client: null!);

        Assert.Equal("""
            {"min_tokens":3,"temperature":0.5,"model":"other","messages":[{"role":"system","content":"sys"},{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true},"top_p":0.25,"top_k":7,"max_tokens":9,"frequency_penalty":0.5,"presence_penalty":-0.5,"seed":5,"parallel_tool_calls":false,"stop":["x"],"reasoning_effort":"low","response_format":{"type":"json_schema","json_schema":{"name":"answer","description":"what it is","schema":{"type":"object"},"strict":true}},"tools":[{"type":"function","function":{"name":"weather","description":"Tells the weather.","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}],"tool_choice":{"type":"function","function":{"name":"weather"}},"min_p":0.5,"logit_bias":{"7":-1}}
            """, body.ToJsonString());
    }

    [Fact]
    public void Http_MessagesOfAToolRound_AreOpenAIs()
    {
        JsonObject body = ChatBody.Write(
            [
                new ChatMessage(ChatRole.User, "weather?"),
                new ChatMessage(ChatRole.Assistant, [new TextReasoningContent("hm"), new FunctionCallContent("c1", "weather", new Dictionary<string, object?> { ["city"] = "Rome" }), new FunctionCallContent("c2", "weather")]),
                new ChatMessage(ChatRole.Tool, [new FunctionResultContent("c1", "sun"), new FunctionResultContent("c2", new { rain = true })]),
            ],
            null, "m", stream: false, client: null!);

        Assert.Equal("""
            [{"role":"user","content":"weather?"},{"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{"id":"c1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Rome\"}"}},{"id":"c2","type":"function","function":{"name":"weather","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":"sun"},{"role":"tool","tool_call_id":"c2","content":"{\"rain\":true}"}]
            """.Replace("\\\"", "\\u0022", StringComparison.Ordinal), body["messages"]!.ToJsonString());
    }

    [Fact]
    public void Http_ToolCallsInPieces_AreGivenWhole()
    {
        var reader = new ChunkAssembler(showsReasoning: true);
        string[] chunks =
        [
            """{"id":"x","model":"m","created":5,"choices":[{"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"weather","arguments":""}}]}}]}""",
            """{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"city\":"}},{"index":1,"id":"c2","function":{"name":"time","arguments":"{}"}}]}}]}""",
            """{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"Rome\"}"}}]},"finish_reason":"tool_calls"}]}""",
        ];
        Assert.All(chunks, c => Assert.Empty(reader.Read(JsonElement.Parse(c), "delta")));
        ChatResponse response = reader.End().ToChatResponse();

        Assert.Equal(ChatFinishReason.ToolCalls, response.FinishReason);
        FunctionCallContent[] calls = [.. response.Messages.Single().Contents.OfType<FunctionCallContent>()];
        Assert.Equal(["c1 weather", "c2 time"], calls.Select(c => $"{c.CallId} {c.Name}"));
        Assert.Equal("Rome", calls[0].Arguments!["city"]!.ToString());
        Assert.Empty(calls[1].Arguments!);
    }

    private static async Task<GenerationRequest> SentAsync(ChatOptions options)
    {
        (IAsyncDisposable files, LanguageModel model, RecordingEngine engine) = RecordingEngine.Create("hi");
        await using (files)
        {
            await new HadalChatClient(new ReadyModel(model)).GetResponseAsync("x", options, Ct);
            return engine.Last!;
        }
    }
}
