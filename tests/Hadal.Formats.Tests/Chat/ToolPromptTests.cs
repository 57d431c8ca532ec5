using System.Text.Json.Nodes;
using Hadal.Formats.Chat;
using Hadal.Formats.Chat.Tools;
using Hadal.Formats.Tests.Tokenization;
using Hadal.Formats.Tokenization;

namespace Hadal.Formats.Tests.Chat;

/// <summary>Tools and calls through the templates of real models.</summary>
public sealed class ToolPromptTests
{
    private const string Tools = """[{"type":"function","function":{"name":"get_weather","description":"Weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]""";

    private const string Messages = """
        [{"role":"user","content":"Oslo?"},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"get_weather","arguments":"{\"city\": \"Oslo\"}"}}]},
        {"role":"tool","tool_call_id":"c1","content":"rain"}]
        """;

    [Theory]
    [InlineData("deepseek_v3", "deepseek_v3", false)]
    [InlineData("qwen3", "hermes", true)]
    public void Detect_OfRealModels(string model, string format, bool takesTools)
    {
        (ITokenizer tokenizer, IChatTemplate template) = Load(model);
        Assert.Equal(format, ToolCallFormat.Detect(tokenizer, template)?.Name);
        Assert.Equal(takesTools, ToolPrompt.TakesTools(template));
    }

    [Theory]
    [InlineData("{{ bos }}{% if tools %}{{ tools }}{% endif %}<｜tool▁calls▁begin｜>{{ '```json' }}", "deepseek_v3")]
    [InlineData("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>{{ name }}<｜tool▁sep｜>", "deepseek_v31")]
    [InlineData("{% for t in message.tool_calls %}<tool_call>{{ t }}{% endfor %}", "hermes")]
    [InlineData("<|start_header_id|>{{ '{\"name\": ' }}{{ '\"parameters\": ' }}", "llama3_json")]
    [InlineData("{{ '<|python_tag|>' }}", "llama3_json")]
    [InlineData("{{ messages }}", null)]
    public void Detect_ByWhatTheTemplateWrites(string source, string? format)
    {
        ITokenizer demo = TokenizerLoader.FromFolder(TestFiles.Demo);
        Assert.Equal(format, ToolCallFormat.Detect(demo, new ChatTemplate(source, new Dictionary<string, string>(), "test"))?.Name);
        Assert.Null(ToolCallFormat.Detect(demo, null));
    }

    [Fact]
    public void Qwen3_WritesToolsCallsAndResults()
    {
        string text = Render("qwen3");
        Assert.Contains("<tools>\n{\"type\": \"function\", \"function\": {\"name\": \"get_weather\"", text);
        Assert.Contains("<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}}\n</tool_call><|im_end|>", text);
        Assert.EndsWith("<tool_response>\nrain\n</tool_response><|im_end|>\n<|im_start|>assistant\n", text);
    }

    [Fact]
    public void DeepSeekV3_GetsToolsInTheSystemMessage()
    {
        string text = Render("deepseek_v3");
        Assert.StartsWith("<｜begin▁of▁sentence｜>## Tools\nYou have access to the following tools:\n\n### get_weather\nDescription: Weather\n\nParameters: {\"type\":\"object\"", text);
        Assert.Contains("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{\"city\": \"Oslo\"}\n```<｜tool▁call▁end｜>", text);
        Assert.EndsWith("<｜tool▁output▁begin｜>rain<｜tool▁output▁end｜><｜tool▁outputs▁end｜>", text);
    }

    [Fact]
    public void AddToSystem_KeepsWhatItSays()
    {
        foreach (ToolCallFormat format in ToolCallFormat.All)
        {
            var messages = (JsonArray)JsonNode.Parse("""[{"role":"system","content":"Be brief."},{"role":"user","content":"x"}]""")!;
            ToolPrompt.AddToSystem(messages, (JsonArray)JsonNode.Parse(Tools)!, format);
            Assert.Equal(2, messages.Count);
            Assert.StartsWith("Be brief.\n\n", messages[0]!["content"]!.GetValue<string>());
            Assert.Contains("get_weather", messages[0]!["content"]!.GetValue<string>());
        }
    }

    [Theory]
    [InlineData("{{ message['tool_calls'][0].function.arguments | tojson }}", """{"city": "Oslo"}""")]
    [InlineData("{% if x is string %}{{ tool_call.arguments|tojson }}", null)]
    [InlineData("{{ tool['function']['arguments'] }}", null)]
    public void AdaptCalls_ParsesArgumentsWhereTheTemplateWritesThemAsJson(string source, string? parsed)
    {
        var messages = (JsonArray)JsonNode.Parse(Messages)!;
        var fake = new FakeTemplate(source);
        ToolPrompt.AdaptCalls(messages, fake);
        JsonNode arguments = messages[1]!["tool_calls"]![0]!["function"]!["arguments"]!;
        Assert.Equal(parsed is null, arguments is JsonValue);
        if (parsed is not null)
            Assert.True(JsonNode.DeepEquals(JsonNode.Parse(parsed), arguments));
        Assert.Equal("", messages[1]!["content"]!.GetValue<string>());
    }

    private static string Render(string model)
    {
        (ITokenizer tokenizer, IChatTemplate template) = Load(model);
        var messages = (JsonArray)JsonNode.Parse(Messages)!;
        var tools = (JsonArray)JsonNode.Parse(Tools)!;
        ToolPrompt.AdaptCalls(messages, template);
        bool takesTools = ToolPrompt.TakesTools(template);
        if (!takesTools)
            ToolPrompt.AddToSystem(messages, tools, ToolCallFormat.Detect(tokenizer, template)!);
        return template.Render(messages, addGenerationPrompt: true, takesTools ? tools : null);
    }

    private static (ITokenizer, IChatTemplate) Load(string name)
    {
        string folder = TestFiles.Tokenizer(name);
        return (TokenizerLoader.FromFolder(folder), ChatTemplateLoader.FromFolder(folder)!);
    }

    private sealed class FakeTemplate(string source) : IChatTemplate
    {
        public string Source => source;

        public string Render(JsonArray messages, bool addGenerationPrompt, JsonArray? tools = null, JsonObject? extra = null) => "";
    }
}
