using System.ClientModel;
using System.Text.Json;
using Hadal.Demo;
using Microsoft.Extensions.AI;
using OpenAI;
using OpenAI.Chat;
using ChatFinishReason = OpenAI.Chat.ChatFinishReason;

namespace Hadal.Server.Tests.Demo;

/// <summary>Real tokens of the bundled model through the clients people use.</summary>
public sealed class DemoServerTests(DemoServer demo) : IClassFixture<DemoServer>
{
    private const string Sum = "Wendy had 5 sandwiches and found 6 more. How many sandwiches does she have now?";

    private static readonly ChatCompletionOptions _greedy = new() { Temperature = 0, MaxOutputTokenCount = 120 };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Chat_Sum_IsThoughtThroughAndAnswered()
    {
        (int status, JsonElement body) = await demo.Server.SendAsync("/v1/chat/completions", $$"""{"model": "hadal-demo", "temperature": 0, "messages": [{"role": "user", "content": "{{Sum}}"}]}""");

        Assert.Equal(200, status);
        JsonElement message = body.GetProperty("choices")[0].GetProperty("message");
        Assert.Contains("11", message.GetProperty("content").GetString());
        Assert.Contains("11", message.GetProperty("reasoning_content").GetString());
        Assert.DoesNotContain("think>", message.GetRawText());
        Assert.Equal("stop", body.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        JsonElement usage = body.GetProperty("usage");
        Assert.InRange(usage.GetProperty("completion_tokens_details").GetProperty("reasoning_tokens").GetInt32(), 5, usage.GetProperty("completion_tokens").GetInt32() - 3);
    }

    [Fact]
    public async Task OpenAI_StreamedChat_EqualsWholeChat()
    {
        ChatCompletion whole = await Client().CompleteChatAsync([new UserChatMessage(Sum)], _greedy, Cancel);
        string streamed = "";
        ChatFinishReason? reason = null;
        await foreach (StreamingChatCompletionUpdate update in Client().CompleteChatStreamingAsync([new UserChatMessage(Sum)], _greedy, Cancel))
        {
            streamed += string.Concat(update.ContentUpdate.Select(p => p.Text));
            reason ??= update.FinishReason;
        }

        Assert.Equal(whole.Content[0].Text, streamed);
        Assert.Equal(ChatFinishReason.Stop, reason);
    }

    [Fact]
    public async Task ExtensionsAI_Chat_StreamedAndWhole_AreTheSame()
    {
        IChatClient client = Client().AsIChatClient();
        var options = new ChatOptions { Temperature = 0, MaxOutputTokens = 80 };
        ChatResponse whole = await client.GetResponseAsync("Tell me a story.", options, Cancel);
        string streamed = "";
        await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync("Tell me a story.", options, Cancel))
        {
            streamed += update.Text;
        }

        Assert.True(whole.Text.Length > 40, whole.Text);
        Assert.Equal(whole.Text, streamed);
        Assert.NotNull(whole.Usage?.OutputTokenCount);
    }

    [Fact]
    public async Task Completions_ManyAtOnce_EqualEachAlone()
    {
        string[] prompts = ["Once upon a time", "The little dog", "One day, Tim", "A girl named Lily", "Once upon a time, there was a cat", "It was a sunny day"];
        string[] alone = new string[prompts.Length];
        for (int i = 0; i < prompts.Length; i++)
        {
            alone[i] = await CompleteAsync(prompts[i]);
        }

        string[] together = await Task.WhenAll(Enumerable.Repeat(prompts, 4).SelectMany(p => p).Select(CompleteAsync));
        for (int i = 0; i < together.Length; i++)
        {
            Assert.Equal(alone[i % prompts.Length], together[i]);
        }
    }

    [Fact]
    public async Task Completions_SeedNStopAndLogProbs_AreHonoured()
    {
        const string request = """{"model": "hadal-demo", "prompt": "Once upon a time", "max_tokens": 24, "temperature": 1, "seed": 5, "n": 3, "logprobs": 2}""";
        (int status, JsonElement first) = await demo.Server.SendAsync("/v1/completions", request);
        (_, JsonElement second) = await demo.Server.SendAsync("/v1/completions", request);
        Assert.Equal(200, status);
        string[] texts = Texts(first);
        Assert.Equal(texts, Texts(second));
        Assert.Equal(3, texts.Distinct().Count());
        JsonElement logProbs = first.GetProperty("choices")[0].GetProperty("logprobs");
        Assert.Equal(texts[0], string.Concat(logProbs.GetProperty("tokens").EnumerateArray().Select(t => t.GetString())));
        Assert.All(logProbs.GetProperty("token_logprobs").EnumerateArray(), p => Assert.InRange(p.GetDouble(), -40, 0));

        string greedy = await CompleteAsync("Once upon a time");
        string word = greedy.Split(' ', StringSplitOptions.RemoveEmptyEntries)[5];
        (_, JsonElement stopped) = await demo.Server.SendAsync("/v1/completions", $$"""{"model": "hadal-demo", "prompt": "Once upon a time", "max_tokens": 40, "temperature": 0, "stop": ["{{word}}"]}""");
        Assert.Equal(greedy[..greedy.IndexOf(word, StringComparison.Ordinal)], Texts(stopped)[0]);
        Assert.Equal("stop", stopped.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
    }

    [Fact]
    public async Task Completions_SamePrefixAgain_ComesFromTheCache()
    {
        string prompt = string.Concat(Enumerable.Repeat("The cat sat on the mat and the dog ran to the park. ", 12));
        (_, JsonElement first) = await demo.Server.SendAsync("/v1/completions", Request(prompt, 16));
        (_, JsonElement second) = await demo.Server.SendAsync("/v1/completions", Request(prompt, 16));
        Assert.Equal(Texts(first), Texts(second));
        int cached = second.GetProperty("usage").GetProperty("prompt_tokens_details").GetProperty("cached_tokens").GetInt32();
        Assert.True(cached >= second.GetProperty("usage").GetProperty("prompt_tokens").GetInt32() - 17, $"{cached} cached");
    }

    [Fact]
    public async Task Tokenize_Detokenize_AreInverse()
    {
        (_, JsonElement tokens) = await demo.Server.SendAsync("/tokenize", """{"model": "hadal-demo", "prompt": "Tom’s 3 apples 🍎"}""");
        int[] ids = [.. tokens.GetProperty("tokens").EnumerateArray().Select(t => t.GetInt32())];
        (_, JsonElement text) = await demo.Server.SendAsync("/detokenize", $$"""{"model": "hadal-demo", "tokens": [{{string.Join(',', ids)}}]}""");
        Assert.Contains("Tom’s 3 apples 🍎", text.GetProperty("prompt").GetString());
    }

    [Fact]
    public async Task Prompt_OverTheContext_Is400WithTheNumbersAndTheServerLivesOn()
    {
        (int status, JsonElement body) = await demo.Server.SendAsync("/v1/completions", Request(string.Concat(Enumerable.Repeat("very ", 3000)), 4));
        Assert.Equal(400, status);
        Assert.Contains("2048", body.GetProperty("error").GetProperty("message").GetString());
        Assert.NotEmpty(await CompleteAsync("Once upon a time"));
    }

    [Fact]
    public async Task Disconnect_MidStream_FreesThePages()
    {
        using (var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel))
        {
            var options = new ChatCompletionOptions { Temperature = 1, MaxOutputTokenCount = 1900 };
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            {
                int seen = 0;
                await foreach (StreamingChatCompletionUpdate _ in Client().CompleteChatStreamingAsync([new UserChatMessage("Tell me a long story.")], options, stop.Token))
                {
                    if (++seen == 3)
                    {
                        await stop.CancelAsync();
                    }
                }

                stop.Token.ThrowIfCancellationRequested();
            });
        }

        await ServerFixture.UntilAsync(() => demo.Engine.GetStats() is { Running: 0, KvBlocksUsed: 0 });
    }

    private static string Request(string prompt, int maxTokens)
        => $$"""{"model": "hadal-demo", "prompt": "{{prompt}}", "max_tokens": {{maxTokens}}, "temperature": 0}""";

    private static string[] Texts(JsonElement body) => [.. body.GetProperty("choices").EnumerateArray().Select(c => c.GetProperty("text").GetString()!)];

    private async Task<string> CompleteAsync(string prompt)
    {
        (int status, JsonElement body) = await demo.Server.SendAsync("/v1/completions", Request(prompt, 40));
        Assert.Equal(200, status);
        return Texts(body)[0];
    }

    private ChatClient Client() => new(DemoModel.Name, new ApiKeyCredential("none"), new OpenAIClientOptions { Endpoint = new Uri(demo.Server.BaseAddress, "v1") });
}
