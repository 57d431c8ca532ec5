using System.Text.Json.Nodes;
using Hadal.Formats.Chat;
using Hadal.Formats.Tests.Tokenization;
using Hadal.Numerics;

namespace Hadal.Formats.Tests.Chat;

public sealed class ChatTemplateLoaderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("hadal-chat-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void FromFolder_NoTemplate_GivesNull()
    {
        Assert.Null(ChatTemplateLoader.FromFolder(_folder));
        Write("tokenizer_config.json", """{"bos_token":"<s>","chat_template":null}""");
        Assert.Null(ChatTemplateLoader.FromFolder(_folder));
    }

    [Fact]
    public void FromFolder_SeveralSources_NewestWins()
    {
        Write("tokenizer_config.json", """{"bos_token":{"content":"<s>"},"chat_template":"config {{ bos_token }}"}""");
        Assert.Equal("config <s>", Render());
        Write("chat_template.json", """{"chat_template":"json {{ bos_token }}"}""");
        Assert.Equal("json <s>", Render());
        Write("chat_template.jinja", "\uFEFFjinja {{ bos_token }}\n");
        Assert.Equal("jinja <s>", Render());
    }

    [Fact]
    public void FromFolder_NamedTemplates_ToolUseWhenToolsAreGiven()
    {
        Write("tokenizer_config.json", """{"chat_template":[{"name":"default","template":"plain"},{"name":"tool_use","template":"{{ tools|length }} tools"},{"name":"rag","template":"{{"}]}""");
        Assert.Equal("plain", Render());
        Assert.Equal("1 tools", Render(tools: ["x"]));
    }

    [Theory]
    [InlineData("""{"chat_template":5}""", "$.chat_template")]
    [InlineData("""{"chat_template":[{"name":"other","template":"x"}]}""", "default")]
    [InlineData("""{"chat_template":[{"name":"default"}]}""", "template")]
    [InlineData("""{"chat_template":"{% if %}"}""", "line 1")]
    [InlineData("""{"bos_token":5,"chat_template":"x"}""", "$.bos_token")]
    [InlineData("[]", "an object")]
    [InlineData("{", "valid JSON")]
    public void FromFolder_BrokenConfig_IsNamed(string config, string what)
    {
        Write("tokenizer_config.json", config);
        HadalException e = Assert.ThrowsAny<HadalException>(() => ChatTemplateLoader.FromFolder(_folder));
        Assert.Contains(what, e.Message, StringComparison.Ordinal);
        Assert.Contains("tokenizer_config.json", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Render_Qwen3WithToolsAndThinkingOff_EqualsReference()
    {
        IChatTemplate template = ChatTemplateLoader.FromFolder(TestFiles.Tokenizer("qwen3"))!;
        var messages = (JsonArray)JsonNode.Parse("""
            [{"role":"user","content":"w?"},
             {"role":"assistant","content":"","reasoning_content":"think!","tool_calls":[{"type":"function","function":{"name":"f","arguments":{"city":"é","x":[1,2.5,null,true]}}}]},
             {"role":"tool","content":"sunny"},{"role":"tool","content":"rain"}]
            """)!;
        var tools = (JsonArray)JsonNode.Parse("""[{"type":"function","function":{"name":"f","parameters":{"n":1.0}}}]""")!;
        string text = template.Render(messages, addGenerationPrompt: true, tools, new JsonObject { ["enable_thinking"] = false });
        Assert.Equal(
            "<|im_start|>system\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with function signatures within <tools></tools> XML tags:\n<tools>\n"
            + """{"type": "function", "function": {"name": "f", "parameters": {"n": 1.0}}}"""
            + "\n</tools>\n\nFor each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n"
            + """{"name": <function-name>, "arguments": <args-json-object>}"""
            + "\n</tool_call><|im_end|>\n<|im_start|>user\nw?<|im_end|>\n<|im_start|>assistant\n<think>\nthink!\n</think>\n\n<tool_call>\n"
            + """{"name": "f", "arguments": {"city": "é", "x": [1, 2.5, null, true]}}"""
            + "\n</tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\nsunny\n</tool_response>\n<tool_response>\nrain\n</tool_response><|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
            text);
    }

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(_folder, name), text);

    private string Render(JsonArray? tools = null) => ChatTemplateLoader.FromFolder(_folder)!.Render([], addGenerationPrompt: false, tools);
}
