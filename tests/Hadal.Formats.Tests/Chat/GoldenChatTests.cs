using System.Text.Json;
using System.Text.Json.Nodes;
using Hadal.Formats.Chat;
using Hadal.Formats.Tests.Tokenization;

namespace Hadal.Formats.Tests.Chat;

public sealed class GoldenChatTests
{
    [Theory]
    [InlineData("deepseek_v3")]
    [InlineData("qwen3")]
    [InlineData("llama3_1")]
    public void Render_GoldenLines_EqualReference(string name)
    {
        IChatTemplate template = ChatTemplateLoader.FromFolder(TestFiles.Tokenizer(name))!;
        int count = 0;
        foreach (JsonElement line in TestFiles.ReadLines(TestFiles.Golden($"{name}.chat.jsonl")))
        {
            string text = template.Render(JsonArray.Create(line.GetProperty("messages"))!, line.GetProperty("add_generation_prompt").GetBoolean());
            Assert.Equal(line.GetProperty("text").GetString(), text);
            count++;
        }

        Assert.Equal(10, count);
    }

    [Fact]
    public void Render_DemoModel_DropsReasoningOfEarlierTurns()
    {
        IChatTemplate template = ChatTemplateLoader.FromFolder(TestFiles.Demo)!;
        var messages = (JsonArray)JsonNode.Parse("""[{"role":"user","content":"a"},{"role":"assistant","content":"<think>b</think>c"},{"role":"user","content":"d"}]""")!;
        Assert.Equal("<｜begin▁of▁sentence｜><｜User｜>a<｜Assistant｜>c<｜end▁of▁sentence｜><｜User｜>d<｜Assistant｜><think>", template.Render(messages, addGenerationPrompt: true));
    }
}
