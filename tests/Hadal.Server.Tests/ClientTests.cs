using System.ClientModel;
using Hadal.Server.Tests.Fakes;
using Microsoft.Extensions.AI;
using OpenAI;
using OpenAI.Chat;
using ChatFinishReason = OpenAI.Chat.ChatFinishReason;
using ChatResponseFormat = OpenAI.Chat.ChatResponseFormat;

namespace Hadal.Server.Tests;

/// <summary>The clients people use, over a real socket.</summary>
public sealed class ClientTests
{
    [Fact]
    public async Task OpenAI_CompleteChat_GivesTextUsageAndLogProbs()
    {
        var engine = Saying("</think>hé");
        await using var server = await ServerFixture.StartAsync(engine);

        ChatCompletion answer = await Client(server).CompleteChatAsync(
            [new DeveloperChatMessage("be brief"), new UserChatMessage(ChatMessageContentPart.CreateTextPart("a"), ChatMessageContentPart.CreateTextPart("b"))],
            new ChatCompletionOptions { IncludeLogProbabilities = true, TopLogProbabilityCount = 2, Temperature = 0, Seed = 7, StopSequences = { "STOP" } },
            TestContext.Current.CancellationToken);

        Assert.Equal("hé", answer.Content[0].Text);
        Assert.Equal(ChatFinishReason.Stop, answer.FinishReason);
        Assert.Equal("toy/model", answer.Model);
        Assert.Equal(5, answer.Usage.OutputTokenCount);
        Assert.Equal(2, answer.Usage.InputTokenDetails.CachedTokenCount);
        Assert.Equal(1, answer.Usage.OutputTokenDetails.ReasoningTokenCount);
        Assert.Equal("h", answer.ContentTokenLogProbabilities[0].Token);
        Assert.Equal(-0.5f, answer.ContentTokenLogProbabilities[0].LogProbability);
        Assert.Equal(2, answer.ContentTokenLogProbabilities[0].TopLogProbabilities.Count);
        Assert.Equal(0xC3, answer.ContentTokenLogProbabilities[1].Utf8Bytes!.Value.Span[0]);
        Assert.Equal("<bos>be brief<user>ab<assistant><think>", new ToyTokenizer().Decode([.. engine.LastRequest!.PromptTokens]));
        Assert.Equal((0f, 7UL), (engine.LastRequest.Sampling.Temperature, engine.LastRequest.Sampling.Seed));
    }

    [Fact]
    public async Task OpenAI_CompleteChatStreaming_GivesTheSameTextAndUsage()
    {
        await using var server = await ServerFixture.StartAsync(Saying("so</think>\n\nyes 🙂"));
        string text = "";
        ChatFinishReason? reason = null;
        ChatTokenUsage? usage = null;

        await foreach (var update in Client(server).CompleteChatStreamingAsync([new UserChatMessage("hi")], cancellationToken: TestContext.Current.CancellationToken))
        {
            text += string.Concat(update.ContentUpdate.Select(part => part.Text));
            reason ??= update.FinishReason;
            usage ??= update.Usage;
        }

        Assert.Equal("yes 🙂", text);
        Assert.Equal(ChatFinishReason.Stop, reason);
        Assert.Equal(6, usage!.InputTokenCount);
    }

    [Fact]
    public async Task OpenAI_MaxTokens_EndsWithLength()
    {
        await using var server = await ServerFixture.StartAsync(Saying("</think>abcdef"));

        ChatCompletion answer = await Client(server).CompleteChatAsync([new UserChatMessage("hi")], new ChatCompletionOptions { MaxOutputTokenCount = 3 }, TestContext.Current.CancellationToken);

        Assert.Equal(("ab", ChatFinishReason.Length), (answer.Content[0].Text, answer.FinishReason));
    }

    [Fact]
    public async Task OpenAI_BadRequest_ThrowsWithTheMessage()
    {
        await using var server = await ServerFixture.StartAsync(Saying("x"));

        var exception = await Assert.ThrowsAsync<ClientResultException>(() => Client(server).CompleteChatAsync(
            [new UserChatMessage("hi")],
            new ChatCompletionOptions { ResponseFormat = ChatResponseFormat.CreateJsonSchemaFormat("n", BinaryData.FromString("""{"not":{}}""")) },
            TestContext.Current.CancellationToken));

        Assert.Equal(400, exception.Status);
        Assert.Contains("not supported", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OpenAI_Models_AreListed()
    {
        await using var server = await ServerFixture.StartAsync(Saying("x"));
        var models = new OpenAIClient(new ApiKeyCredential("none"), Options(server)).GetOpenAIModelClient();

        var list = (await models.GetModelsAsync(TestContext.Current.CancellationToken)).Value;
        var one = (await models.GetModelAsync("toy", TestContext.Current.CancellationToken)).Value;

        Assert.Equal(["toy/model", "toy"], list.Select(model => model.Id));
        Assert.Equal(1_700_000_000, one.CreatedAt.ToUnixTimeSeconds());
    }

    [Fact]
    public async Task ExtensionsAI_WholeAndStreamed_GiveTheSame()
    {
        await using var server = await ServerFixture.StartAsync(Saying("so</think>\n\nyes"));
        using IChatClient client = Client(server).AsIChatClient();
        var ct = TestContext.Current.CancellationToken;

        var whole = await client.GetResponseAsync("hi", cancellationToken: ct);
        var streamed = await client.GetStreamingResponseAsync("hi", cancellationToken: ct).ToChatResponseAsync(ct);

        Assert.Equal("yes", whole.Text);
        Assert.Equal("yes", streamed.Text);
        Assert.Equal(whole.Usage!.OutputTokenCount, streamed.Usage!.OutputTokenCount);
        Assert.Equal(Microsoft.Extensions.AI.ChatFinishReason.Stop, streamed.FinishReason);
    }

    private static ScriptedEngine Saying(string text) => new() { Script = (_, _) => ServerFixture.Ids(text) };

    private static OpenAIClientOptions Options(ServerFixture server) => new() { Endpoint = new Uri(server.BaseAddress, "/v1") };

    private static ChatClient Client(ServerFixture server) => new("toy", new ApiKeyCredential("none"), Options(server));
}
