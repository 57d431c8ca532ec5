using Microsoft.Extensions.AI;

namespace Hadal.Extensions.AI.Tests;

/// <summary>Both clients against the bundled model: what one gives, the other does.</summary>
[Collection("one model")] // In turn: they count what it does.
public sealed class ClientsTests(DemoFixture demo)
{
    private static readonly ChatOptions s_greedy = new() { Temperature = 0, MaxOutputTokens = 200 };

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task GetResponse_WholeAndStreamed_GiveTextThinkingAndUsage(bool overHttp)
    {
        using IChatClient client = demo.Client(overHttp);

        ChatResponse whole = await client.GetResponseAsync("What is 12 + 7?", s_greedy, Ct);
        List<ChatResponseUpdate> updates = await client.GetStreamingResponseAsync("What is 12 + 7?", s_greedy, Ct).ToListAsync(Ct);
        ChatResponse streamed = updates.ToChatResponse();

        Assert.Contains("19", whole.Text, StringComparison.Ordinal);
        Assert.Equal(whole.Text, streamed.Text);
        string thinking = string.Concat(whole.Messages.Single().Contents.OfType<TextReasoningContent>().Select(t => t.Text));
        Assert.NotEqual("", thinking);
        Assert.DoesNotContain("think>", thinking + whole.Text, StringComparison.Ordinal);
        Assert.Equal(thinking, string.Concat(updates.SelectMany(u => u.Contents).OfType<TextReasoningContent>().Select(t => t.Text)));
        Assert.True(updates.Count > 5, $"only {updates.Count} updates");
        Assert.Equal((ChatFinishReason.Stop, "hadal-demo"), (whole.FinishReason, whole.ModelId));
        foreach (ChatResponse response in new[] { whole, streamed })
        {
            UsageDetails usage = response.Usage!;
            Assert.True(usage.InputTokenCount > 5);
            Assert.Equal(usage.InputTokenCount + usage.OutputTokenCount, usage.TotalTokenCount);
            Assert.InRange(usage.ReasoningTokenCount!.Value, 1, usage.OutputTokenCount!.Value - 1);
            Assert.NotNull(usage.CachedInputTokenCount);
            Assert.StartsWith("chatcmpl-", response.ResponseId, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task GetResponse_OverHttpAndWithin_GiveTheSame()
    {
        ChatMessage[] talk = [new(ChatRole.System, "You are brief."), new(ChatRole.User, "What is 3 + 4?"), new(ChatRole.Assistant, "7"), new(ChatRole.User, "And 20 + 5?")];
        ChatOptions options = new() { Seed = 11, Temperature = 0.8f, TopK = 20, TopP = 0.9f, FrequencyPenalty = 0.1f, PresencePenalty = 0.1f, MaxOutputTokens = 60, AdditionalProperties = new() { ["min_p"] = 0.01 } };
        using IChatClient within = demo.Client(false), http = demo.Client(true);

        ChatResponse a = await within.GetResponseAsync(talk, options, Ct), b = await http.GetResponseAsync(talk, options, Ct);

        Assert.Equal(a.Text, b.Text);
        Assert.Equal(a.Usage!.OutputTokenCount, b.Usage!.OutputTokenCount);
        Assert.Equal(a.Usage.InputTokenCount, b.Usage.InputTokenCount);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task GetResponse_LimitsAndStops_EndTheAnswer(bool overHttp)
    {
        using IChatClient client = demo.Client(overHttp);

        ChatResponse cut = await client.GetResponseAsync("Tell me a story.", new ChatOptions { MaxOutputTokens = 7, Temperature = 0 }, Ct);
        ChatResponse stopped = await client.GetResponseAsync("What is 12 + 7?", new ChatOptions { Temperature = 0, StopSequences = ["9"] }, Ct);
        ChatResponse silent = await client.GetResponseAsync("What is 12 + 7?", new ChatOptions { Temperature = 0, Reasoning = new() { Output = ReasoningOutput.None } }, Ct);

        Assert.Equal((ChatFinishReason.Length, 7L), (cut.FinishReason, cut.Usage!.OutputTokenCount));
        Assert.Equal(ChatFinishReason.Stop, stopped.FinishReason);
        Assert.DoesNotContain("9", stopped.Text, StringComparison.Ordinal);
        Assert.Empty(silent.Messages.SelectMany(m => m.Contents).OfType<TextReasoningContent>());
        Assert.Contains("19", silent.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task GetStreamingResponse_Cancelled_EndsAtOnceAndFreesTheEngine(bool overHttp)
    {
        using IChatClient client = demo.Client(overHttp);
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        ChatOptions endless = new() { MaxOutputTokens = 1500, AdditionalProperties = new() { ["ignore_eos"] = true } };
        long before = demo.Model.GetStats().RequestsCancelled;

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            int count = 0;
            await foreach (ChatResponseUpdate _ in client.GetStreamingResponseAsync("Tell me a story.", endless, cancel.Token))
            {
                if (++count == 3)
                    await cancel.CancelAsync();
            }
        });

        for (int i = 0; i < 500 && demo.Model.GetStats().RequestsCancelled == before; i++)
            await Task.Delay(10, Ct);
        Assert.Equal(before + 1, demo.Model.GetStats().RequestsCancelled);
    }

    [Fact]
    public async Task HttpClient_Refusal_SaysWhatTheServerSaid()
    {
        using IChatClient client = new HadalHttpChatClient(demo.Endpoint, "no-such-model");

        HttpRequestException e = await Assert.ThrowsAsync<HttpRequestException>(() => client.GetResponseAsync("hi", cancellationToken: Ct));
        Assert.Equal(System.Net.HttpStatusCode.NotFound, e.StatusCode);
        Assert.Contains("no-such-model", e.Message, StringComparison.Ordinal);
        e = await Assert.ThrowsAsync<HttpRequestException>(() => demo.Client(true).GetStreamingResponseAsync("hi", new ChatOptions { Temperature = 9 }, Ct).ToListAsync(Ct).AsTask());
        Assert.Contains("param temperature", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void GetService_GivesMetadataAndTheModel()
    {
        using IChatClient within = demo.Client(false), http = demo.Client(true);
        Assert.Equal(("hadal", "hadal-demo"), (within.GetService<ChatClientMetadata>()!.ProviderName, within.GetService<ChatClientMetadata>()!.DefaultModelId));
        Assert.Equal(demo.Endpoint, http.GetService<ChatClientMetadata>()!.ProviderUri);
        Assert.Same(demo.Model, within.GetService<HadalModel>());
        Assert.Same(http, http.GetService<HadalHttpChatClient>());
        Assert.Null(within.GetService<HadalHttpChatClient>());
        Assert.Null(within.GetService(typeof(ChatClientMetadata), "key"));
    }
}
