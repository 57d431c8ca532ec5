using System.ClientModel;
using System.Text.Json;
using Hadal.Engine.Constraints;
using Hadal.Formats.Chat.Tools;
using Hadal.Server.Tests.Fakes;
using OpenAI;
using OpenAI.Chat;

namespace Hadal.Server.Tests;

public sealed class ToolTests
{
    private const string User = "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]";
    private const string Tools = """
        "tools":[{"type":"function","function":{"name":"get_weather","description":"Weather","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}},{"type":"function","function":{"name":"stop"}}]
        """;

    private const string Call = "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\":  \"Å\"}}\n</tool_call>";

    private const string Neat = "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Å\"}}\n</tool_call>";

    [Fact]
    public async Task Chat_AnswerWithCalls_HasThemApartFromItsText()
    {
        await using var server = await StartAsync(Saying("so</think>I look.\n" + Call + "\n<tool_call>\n{\"name\": \"stop\", \"arguments\": {}}\n</tool_call>"));
        var (status, body) = await server.SendAsync("/v1/chat/completions", $"{{\"model\":\"toy\",{User},{Tools}}}");
        Assert.Equal(200, status);
        JsonElement choice = body.GetProperty("choices")[0];
        Assert.Equal("tool_calls", choice.GetProperty("finish_reason").GetString());
        Assert.Equal("I look.", choice.GetProperty("message").GetProperty("content").GetString());
        Assert.Equal("so", choice.GetProperty("message").GetProperty("reasoning_content").GetString());
        JsonElement calls = choice.GetProperty("message").GetProperty("tool_calls");
        Assert.Equal(2, calls.GetArrayLength());
        Assert.Equal("function", calls[0].GetProperty("type").GetString());
        Assert.StartsWith("call_", calls[0].GetProperty("id").GetString());
        Assert.Equal("get_weather", calls[0].GetProperty("function").GetProperty("name").GetString());
        // As the model wrote them, with both blanks.
        Assert.Equal("{\"city\":  \"Å\"}", calls[0].GetProperty("function").GetProperty("arguments").GetString());
        Assert.Equal("stop", calls[1].GetProperty("function").GetProperty("name").GetString());
    }

    [Fact]
    public async Task Chat_OnlyCalls_HasNoContent_AndOneCallWhereOnlyOneIsAllowed()
    {
        await using var server = await StartAsync(Saying("</think>" + Call + Call));
        var (_, body) = await server.SendAsync("/v1/chat/completions", $"{{\"model\":\"toy\",{User},{Tools},\"parallel_tool_calls\":false}}");
        JsonElement message = body.GetProperty("choices")[0].GetProperty("message");
        Assert.Equal(JsonValueKind.Null, message.GetProperty("content").ValueKind);
        Assert.Equal(1, message.GetProperty("tool_calls").GetArrayLength());
    }

    [Fact]
    public async Task Chat_MalformedCall_IsContent()
    {
        await using var server = await StartAsync(Saying("</think><tool_call>{oops}</tool_call>"));
        var (status, body) = await server.SendAsync("/v1/chat/completions", $"{{\"model\":\"toy\",{User},{Tools}}}");
        Assert.Equal(200, status);
        JsonElement choice = body.GetProperty("choices")[0];
        Assert.Equal("<tool_call>{oops}</tool_call>", choice.GetProperty("message").GetProperty("content").GetString());
        Assert.False(choice.GetProperty("message").TryGetProperty("tool_calls", out _));
        Assert.Equal("stop", choice.GetProperty("finish_reason").GetString());
    }

    [Fact]
    public async Task Chat_WithoutToolsOrWithNone_LeavesMarkersInTheText()
    {
        await using var server = await StartAsync(Saying("</think>" + Call));
        foreach (string fields in (string[])["\"n\":1", Tools + ",\"tool_choice\":\"none\""])
        {
            var (_, body) = await server.SendAsync("/v1/chat/completions", $"{{\"model\":\"toy\",{User},{fields}}}");
            Assert.Equal(Call, body.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
        }
    }

    [Fact]
    public async Task OpenAI_StreamedCalls_EqualWholeOnes()
    {
        await using var server = await StartAsync(Saying("think</think>Well.\n" + Call));
        var client = new ChatClient("toy", new ApiKeyCredential("none"), new OpenAIClientOptions { Endpoint = new Uri(server.BaseAddress, "v1") });
        var options = new ChatCompletionOptions
        {
            Tools = { ChatTool.CreateFunctionTool("get_weather", "Weather", BinaryData.FromString("""{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}""")) },
        };
        ChatCompletion whole = await client.CompleteChatAsync([new UserChatMessage("hi")], options, TestContext.Current.CancellationToken);
        Assert.Equal(ChatFinishReason.ToolCalls, whole.FinishReason);
        string id = "", name = "", arguments = "", text = "";
        int numPieces = 0;
        ChatFinishReason? reason = null;
        await foreach (StreamingChatCompletionUpdate update in client.CompleteChatStreamingAsync([new UserChatMessage("hi")], options, TestContext.Current.CancellationToken))
        {
            text += string.Concat(update.ContentUpdate.Select(p => p.Text));
            foreach (StreamingChatToolCallUpdate call in update.ToolCallUpdates)
            {
                Assert.Equal(0, call.Index);
                id += call.ToolCallId;
                name += call.FunctionName;
                // The name comes before any of the arguments, which come bit by bit.
                Assert.Equal("get_weather", name);
                arguments += call.FunctionArgumentsUpdate?.ToString();
                numPieces++;
            }

            reason ??= update.FinishReason;
        }

        Assert.Equal((whole.ToolCalls[0].FunctionName, whole.ToolCalls[0].FunctionArguments.ToString(), whole.Content[0].Text), (name, arguments, text));
        Assert.Equal(29, id.Length);
        Assert.Equal(ChatFinishReason.ToolCalls, reason);
        Assert.True(numPieces > 5, $"{numPieces} pieces");
    }

    [Theory]
    [InlineData("\"required\"", "<tool_call>\n{\"name\": \"stop\", \"arguments\": {\"x\":1}}\n</tool_call>", "plain text")]
    [InlineData("\"required\"", Neat + "\n" + Neat, "<tool_call>\n{\"name\": \"other\", \"arguments\": {}}\n</tool_call>")]
    [InlineData("{\"type\":\"function\",\"function\":{\"name\":\"get_weather\"}}", "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\":\"x\"}}\n</tool_call>", "<tool_call>\n{\"name\": \"stop\", \"arguments\": {}}\n</tool_call>")]
    [InlineData("{\"type\":\"function\",\"function\":{\"name\":\"get_weather\"}}", Neat, "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {}}\n</tool_call>")]
    public async Task Required_HoldsTheAnswerToCallsWithTheirSchemas(string choice, string valid, string invalid)
    {
        var engine = new ScriptedEngine { MaxContextLen = 8192 };
        await using var server = await StartAsync(engine);
        Assert.Equal(200, (await server.SendAsync("/v1/chat/completions", $"{{\"model\":\"toy\",{User},{Tools},\"tool_choice\":{choice}}}")).Status);
        Assert.True(Allows(engine, "th</think>\n" + valid));
        Assert.False(Allows(engine, "th</think>" + invalid));
    }

    [Fact]
    public async Task Auto_WithASchema_IsCallsOrTheAnswer()
    {
        var engine = new ScriptedEngine { MaxContextLen = 8192 };
        await using var server = await StartAsync(engine);
        Assert.Equal(200, (await server.SendAsync("/v1/chat/completions", $"{{\"model\":\"toy\",{User},{Tools},\"response_format\":{{\"type\":\"json_object\"}}}}")).Status);
        Assert.True(Allows(engine, "</think>{\"a\":1}"));
        Assert.True(Allows(engine, "</think>" + Neat));
        Assert.False(Allows(engine, "</think>text"));
        Assert.Equal(200, (await server.SendAsync("/v1/chat/completions", $"{{\"model\":\"toy\",{User},{Tools}}}")).Status);
        Assert.Null(engine.LastRequest!.CreateConstraint);
    }

    [Theory]
    [InlineData("tools[0]", "\"tools\":[7]")]
    [InlineData("tools[0].type", "\"tools\":[{}]")]
    [InlineData("tools[0].type", "\"tools\":[{\"type\":\"retrieval\"}]")]
    [InlineData("tools[0].function", "\"tools\":[{\"type\":\"function\"}]")]
    [InlineData("tools[0].function.name", "\"tools\":[{\"type\":\"function\",\"function\":{}}]")]
    [InlineData("tools[0].function.name", "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a b\"}}]")]
    [InlineData("tools[0].function.parameters", "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":7}}]")]
    [InlineData("tools[1].function.name", "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}},{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]")]
    [InlineData("tool_choice", "\"tool_choice\":\"required\"")]
    [InlineData("tool_choice", Tools + ",\"tool_choice\":\"always\"")]
    [InlineData("tool_choice", Tools + ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"other\"}}")]
    [InlineData("tool_choice.function", Tools + ",\"tool_choice\":{\"type\":\"function\"}")]
    [InlineData("tools", "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"not\":{}}}}],\"tool_choice\":\"required\"")]
    [InlineData("parallel_tool_calls", Tools + ",\"parallel_tool_calls\":1")]
    [InlineData("guided_regex", Tools + ",\"guided_regex\":\"a\"")]
    public async Task Refused_SaysWhichField(string param, string fields)
    {
        await using var server = await StartAsync(new ScriptedEngine { MaxContextLen = 8192 });
        var (status, body) = await server.SendAsync("/v1/chat/completions", $"{{\"model\":\"toy\",{User},{fields}}}");
        Assert.Equal(400, status);
        Assert.Equal(param, body.GetProperty("error").GetProperty("param").GetString());
    }

    [Fact]
    public async Task Conversation_WithCallsAndResults_GoesIntoTheTemplate()
    {
        var engine = new ScriptedEngine { MaxContextLen = 8192, Script = (_, _) => ServerFixture.Ids("</think>done") };
        await using var server = await StartAsync(engine);
        const string messages = """
            "messages":[{"role":"user","content":"hi"},{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"stop","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"stopped"}]
            """;
        Assert.Equal(200, (await server.SendAsync("/v1/chat/completions", $"{{\"model\":\"toy\",{messages},{Tools}}}")).Status);
        string prompt = new ToyTokenizer().Decode([.. engine.LastRequest!.PromptTokens]);
        // The toy's template leaves tools out, so that they are described in the system message.
        Assert.Contains("<tools>\n{\"type\":\"function\",\"function\":{\"name\":\"get_weather\"", prompt);
        Assert.EndsWith("stopped<assistant><think>", prompt);
        var (status, body) = await server.SendAsync("/v1/chat/completions", $"{{\"model\":\"toy\",{messages.Replace("\"{}\"", "{}", StringComparison.Ordinal)}}}");
        Assert.Equal((400, "messages[1].tool_calls[0].function.arguments"), (status, body.GetProperty("error").GetProperty("param").GetString()));
    }

    private static Task<ServerFixture> StartAsync(ScriptedEngine engine) => ServerFixture.StartAsync(ServerFixture.Toy(engine) with { ToolCallFormat = ToolCallFormat.Hermes });

    private static ScriptedEngine Saying(string text) => new() { MaxContextLen = 8192, Script = (_, _) => ServerFixture.Ids(text) };

    private static bool Allows(ScriptedEngine engine, string text)
    {
        ITokenConstraint constraint = engine.LastRequest!.CreateConstraint!();
        foreach (int token in ServerFixture.Ids(text))
        {
            if (constraint.IsComplete || (constraint.IsActive && !TokenMask.IsAllowed(constraint.Mask(), token)))
                return false;
            constraint.Accept(token);
        }

        return constraint.IsComplete || TokenMask.IsAllowed(constraint.Mask(), ToyTokenizer.Eos);
    }
}
