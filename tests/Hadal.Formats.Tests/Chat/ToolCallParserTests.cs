using System.Text;
using Hadal.Formats.Chat.Tools;

namespace Hadal.Formats.Tests.Chat;

public sealed class ToolCallParserTests
{
    private const string V3 = "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>";

    public static TheoryData<string, string, string, string> Cases => new()
    {
        // format, text, content, calls
        { "deepseek_v3", "Let me see." + V3 + "get\n```json\n{\"a\": \"x\\n\"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>", "Let me see.", "get {\"a\": \"x\\n\"}" },
        { "deepseek_v3", V3 + "f\n```json\n{}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>g_2\n```json\n{\"b\":[1,\n2]}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>", "", "f {}|g_2 {\"b\":[1,\n2]}" },
        { "deepseek_v31", "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get<｜tool▁sep｜>{\"a\":1}<｜tool▁call▁end｜><｜tool▁call▁begin｜>put<｜tool▁sep｜>{\"s\":\"```\"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>", "", "get {\"a\":1}|put {\"s\":\"```\"}" },
        { "deepseek_v3", "a <｜tool▁calls▁begin｜> b", "a <｜tool▁calls▁begin｜> b", "" },
        { "deepseek_v3", V3 + "name without a fence", V3 + "name without a fence", "" },
        { "deepseek_v3", "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>nothing", "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>nothing", "" },
        { "deepseek_v3", "<｜tool▁", "<｜tool▁", "" },
        { "deepseek_v3", V3 + "f\n```json\n{\"cut\": \"of", "", "f {\"cut\": \"of" },
        { "deepseek_v31", "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>after", "after", "f {}" },
        { "hermes", "I will look.\n<tool_call>\n{\"name\": \"get\", \"arguments\": {\"a\": {\"b\": \"}\"}}}\n</tool_call>", "I will look.", "get {\"a\": {\"b\": \"}\"}}" },
        { "hermes", "<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>\n<tool_call>\n{\"arguments\": {\"x\": [1]}, \"name\": \"g\"}\n</tool_call>\n", "", "f {}|g {\"x\": [1]}" },
        { "hermes", "<tool_call>\nnot json\n</tool_call> x", "<tool_call>\nnot json\n</tool_call> x", "" },
        { "hermes", "<tool_call>\n{\"name\": 5}\n</tool_call>", "<tool_call>\n{\"name\": 5}\n</tool_call>", "" },
        { "hermes", "<tool_call>\n{\"nombre\": \"x\", \"arguments\": {}}", "<tool_call>\n{\"nombre\": \"x\", \"arguments\": {}}", "" },
        { "hermes", "a\n\nb < tool_call> <tool", "a\n\nb < tool_call> <tool", "" },
        { "hermes", "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"cut", "", "f {\"cut" },
        { "hermes", "<tool_call> <tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>", "<tool_call> ", "f {}" },
        { "llama3_json", "{\"name\": \"get\", \"parameters\": {\"a\": \"b\"}}", "", "get {\"a\": \"b\"}" },
        { "llama3_json", "<|python_tag|>{\"name\": \"get\", \"parameters\": {}}; {\"type\": \"function\", \"name\": \"put\", \"arguments\": {\"k\": 1}}", "", "get {}|put {\"k\": 1}" },
        { "llama3_json", "{\"name\": \"Ann\", \"age\": 3}", "{\"name\": \"Ann\", \"age\": 3}", "" },
        { "llama3_json", "{\"parameters\": {\"a\": 1}, \"name\": \"f\"}", "", "f {\"a\": 1}" },
        { "llama3_json", "<|python_tag|>print(1)", "<|python_tag|>print(1)", "" },
        { "llama3_json", "Here: <|python_tag|>{\"name\": \"f\", \"parameters\": {}}", "Here: ", "f {}" },
        { "llama3_json", "Just {\"name\": \"f\", \"parameters\": {}}", "Just {\"name\": \"f\", \"parameters\": {}}", "" },
        { "llama3_json", "{\"name\": \"f\", \"parameters\": {}} and more", "and more", "f {}" },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Parse_HoweverCut_GivesTheSame(string format, string text, string content, string calls)
    {
        Assert.Equal((content, calls), Parse(format, [text]));
        for (int cut = 1; cut < text.Length; cut++)
            Assert.Equal((content, calls), Parse(format, [text[..cut], text[cut..]]));
        Assert.Equal((content, calls), Parse(format, text.Select(c => c.ToString())));
        var random = new Random(text.Length);
        for (int round = 0; round < 200; round++)
            Assert.Equal((content, calls), Parse(format, Pieces(text, random)));
    }

    [Fact]
    public void Parse_MarkersInAnyOrder_NeverThrowsAndDoesNotDependOnTheCuts()
    {
        string[] parts =
        [
            "<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "function", "<｜tool▁sep｜>", "name", "\n", "```json", "{}", "{\"a\":1}", "```", "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>",
            "<tool_call>", "</tool_call>", "{\"name\": \"f\", ", "\"arguments\": ", "\"parameters\": ", "{\"x\": \"", "\"}", "}", ";", "<|python_tag|>", " ", "text", "[", "\\", "\"",
        ];
        var random = new Random(3);
        for (int round = 0; round < 4000; round++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(1, 14)).Select(_ => parts[random.Next(parts.Length)]));
            foreach (string format in (string[])["deepseek_v3", "hermes", "llama3_json"])
            {
                (string, string) whole = Parse(format, [text]);
                Assert.True(whole == Parse(format, text.Select(c => c.ToString())), $"{format}: {text}");
                Assert.True(whole == Parse(format, Pieces(text, random)), $"{format}: {text}");
            }
        }
    }

    [Fact]
    public void Streamed_NameComesFirstThenArgumentsAsTheyCome()
    {
        ToolCallParser parser = ToolCallFormat.Hermes.CreateParser(() => "id");
        Assert.Equal("", parser.Append("<tool_call>\n{\"name\": \"get\", \"arguments\": {", out IReadOnlyList<ToolCallDelta> calls));
        Assert.Equal([new ToolCallDelta(0, "id", "get", ""), new ToolCallDelta(0, null, null, "{")], calls);
        parser.Append("\"a\": 1", out calls);
        Assert.Equal([new ToolCallDelta(0, null, null, "\"a\": 1")], calls);
        parser.Append("}}\n</tool_call>", out calls);
        Assert.Equal([new ToolCallDelta(0, null, null, "}")], calls);
        Assert.Equal("", parser.Flush(out calls));
        Assert.Empty(calls);
        Assert.Equal(1, parser.NumCalls);
    }

    [Fact]
    public void Ids_AreUniqueAndOfTheUsualForm()
    {
        ToolCallParser parser = ToolCallFormat.Hermes.CreateParser();
        parser.Append("<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call><tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>", out IReadOnlyList<ToolCallDelta> calls);
        string[] ids = [.. calls.Select(c => c.Id).OfType<string>()];
        Assert.Equal(2, ids.Distinct().Count());
        Assert.All(ids, id => Assert.Matches("^call_[0-9a-f]{24}$", id));
    }

    [Fact]
    public void Endless_HeaderIsGivenUpSoon()
    {
        ToolCallParser parser = ToolCallFormat.DeepSeekV3.CreateParser();
        var content = new StringBuilder();
        content.Append(parser.Append("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>", out _));
        for (int i = 0; i < 10_000; i++)
            content.Append(parser.Append("name", out _));
        Assert.True(content.Length > 30_000, $"{content.Length} given back");
    }

    private static IEnumerable<string> Pieces(string text, Random random)
    {
        for (int at = 0; at < text.Length;)
        {
            int length = Math.Min(random.Next(1, 9), text.Length - at);
            yield return text.Substring(at, length);
            at += length;
        }
    }

    private static (string Content, string Calls) Parse(string format, IEnumerable<string> pieces)
    {
        ToolCallParser parser = ToolCallFormat.All.Single(f => f.Name == format).CreateParser(() => "id");
        var content = new StringBuilder();
        var calls = new List<StringBuilder>();
        foreach (string piece in pieces)
        {
            content.Append(parser.Append(piece, out IReadOnlyList<ToolCallDelta> deltas));
            Add(deltas);
        }

        content.Append(parser.Flush(out IReadOnlyList<ToolCallDelta> last));
        Add(last);
        Assert.Equal(parser.NumCalls, calls.Count);
        return (content.ToString(), string.Join('|', calls));

        void Add(IReadOnlyList<ToolCallDelta> deltas)
        {
            foreach (ToolCallDelta delta in deltas)
            {
                if (delta.Name is not null)
                {
                    Assert.Equal((calls.Count, "id", ""), (delta.Index, delta.Id, delta.Arguments));
                    calls.Add(new StringBuilder(delta.Name + " "));
                }
                else
                {
                    Assert.Equal(calls.Count - 1, delta.Index);
                    calls[delta.Index].Append(delta.Arguments);
                }
            }
        }
    }
}
