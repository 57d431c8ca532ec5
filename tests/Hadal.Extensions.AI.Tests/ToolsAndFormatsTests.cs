using System.ComponentModel;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Hadal.Extensions.AI.Tests;

/// <summary>Calls and structured answers of the bundled model, which is too small to want them: it is held to them.</summary>
[Collection("one model")] // In turn: they count what it does.
public sealed class ToolsAndFormatsTests(DemoFixture demo)
{
    // Of tools the bundled model knows so little that it may end amid its thinking about them.
    private static readonly ReasoningOptions s_noThinking = new() { Effort = ReasoningEffort.None };

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task UseFunctionInvocation_RequiredCall_IsMadeAndAnswered(bool overHttp)
    {
        var calls = new List<(int A, int B)>();
        using IChatClient client = demo.Client(overHttp).AsBuilder().UseFunctionInvocation().Build();
        AIFunction add = AIFunctionFactory.Create(
            ([Description("The first.")] int a, [Description("The second.")] int b) =>
            {
                calls.Add((a, b));
                return a + b;
            },
            "add",
            "Adds two whole numbers.");

        ChatResponse response = await client.GetResponseAsync(
            "What is 12 + 7?", new ChatOptions { Temperature = 0, MaxOutputTokens = 150, Tools = [add], ToolMode = ChatToolMode.RequireSpecific("add"), AllowMultipleToolCalls = false, Reasoning = s_noThinking }, Ct);

        (int a, int b) = Assert.Single(calls);
        AIContent[] contents = [.. response.Messages.SelectMany(m => m.Contents)];
        FunctionCallContent call = Assert.Single(contents.OfType<FunctionCallContent>());
        Assert.Null(call.Exception);
        FunctionResultContent result = Assert.Single(contents.OfType<FunctionResultContent>());
        Assert.Equal((call.CallId, (a + b).ToString()), (result.CallId, result.Result!.ToString()));
        Assert.Equal(ChatRole.Assistant, response.Messages[^1].Role);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task GetResponse_RequiredCallWithoutInvocation_EndsForIt(bool overHttp)
    {
        using IChatClient client = demo.Client(overHttp);
        ChatOptions options = new() { Temperature = 0, MaxOutputTokens = 150, Tools = [AIFunctionFactory.Create((int a) => a, "square")], ToolMode = ChatToolMode.RequireAny, AllowMultipleToolCalls = false, Reasoning = s_noThinking };

        ChatResponse whole = await client.GetResponseAsync("What is 12 + 7?", options, Ct);
        ChatResponse streamed = await client.GetStreamingResponseAsync("What is 12 + 7?", options, Ct).ToChatResponseAsync(Ct);

        foreach (ChatResponse response in new[] { whole, streamed })
        {
            Assert.Equal(ChatFinishReason.ToolCalls, response.FinishReason);
            FunctionCallContent call = response.Messages.Single().Contents.OfType<FunctionCallContent>().First();
            Assert.Equal("square", call.Name);
            Assert.True(call.Arguments!.ContainsKey("a"));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task GetResponse_Typed_IsOfTheType(bool overHttp)
    {
        using IChatClient client = demo.Client(overHttp);
        ChatResponse<Sum> response = await client.GetResponseAsync<Sum>("What is 12 + 7?", new ChatOptions { Temperature = 0, MaxOutputTokens = 300 }, cancellationToken: Ct);
        Assert.True(response.TryGetResult(out Sum? sum), response.Text);
        Assert.NotNull(sum);

        ChatResponse any = await client.GetResponseAsync("What is 12 + 7?", new ChatOptions { Seed = 3, MaxOutputTokens = 400, Temperature = 0, ResponseFormat = ChatResponseFormat.Json, StopSequences = [] }, Ct);
        if (any.FinishReason == ChatFinishReason.Stop)
            Assert.Equal(JsonValueKind.Object, JsonElement.Parse(any.Text).ValueKind);
        Assert.StartsWith("{", any.Text.TrimStart(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task GetResponse_ReasoningEffortAndBudget_LimitTheThinking(bool overHttp)
    {
        using IChatClient client = demo.Client(overHttp);
        ChatResponse none = await client.GetResponseAsync("What is 12 + 7?", new ChatOptions { Temperature = 0, Reasoning = new() { Effort = ReasoningEffort.None } }, Ct);
        ChatResponse four = await client.GetResponseAsync("What is 12 + 7?", new ChatOptions { Temperature = 0, AdditionalProperties = new() { ["max_reasoning_tokens"] = 4 } }, Ct);
        ChatResponse free = await client.GetResponseAsync("What is 12 + 7?", new ChatOptions { Temperature = 0, Reasoning = new() { Effort = ReasoningEffort.High } }, Ct);

        Assert.Empty(none.Messages.Single().Contents.OfType<TextReasoningContent>());
        Assert.NotEqual("", none.Text);
        Assert.InRange(four.Usage!.ReasoningTokenCount!.Value, 1, 6);
        Assert.True(free.Usage!.ReasoningTokenCount > four.Usage.ReasoningTokenCount);
    }

    private sealed record Sum(int A, int B, int Total);
}
