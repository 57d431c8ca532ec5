using System.Text.Json.Nodes;
using Hadal.Engine.Constraints;
using Hadal.Formats.Chat.Tools;
using Hadal.Formats.Tokenization;

namespace Hadal.Engine.Tests.Constraints;

/// <summary>Enforced calls, written token by token, are read back by the family's parser.</summary>
public sealed class ToolCallGrammarTests
{
    private static readonly (string, JsonNode?)[] _tools =
    [
        ("get_weather", JsonNode.Parse("""{"type":"object","properties":{"city":{"type":"string","maxLength":9},"days":{"type":"integer","minimum":1,"maximum":7}},"required":["city"]}""")),
        ("stop", JsonNode.Parse("""{"type":"object","properties":{}}""")),
    ];

    [Theory]
    [InlineData("deepseek_v3")]
    [InlineData("deepseek_v31")]
    [InlineData("hermes")]
    [InlineData("llama3_json")]
    public void RandomCalls_SmallVocabulary_AreReadBack(string name)
    {
        ToolCallFormat format = ToolCallFormat.All.Single(f => f.Name == name);
        Grammar grammar = GrammarKit.Compiler.ToolCalls(format, _tools, allowsSeveral: true);
        var random = new Random(2);
        int numSeveral = 0, numEnded = 0;
        for (int walk = 0; walk < 60; walk++)
        {
            (_, string text, bool hasEnded) = GrammarKit.RandomWalk(grammar, random, 900);
            if (!hasEnded)
                continue;
            numEnded++;
            ToolCallParser parser = format.CreateParser(() => "id");
            string content = parser.Append(text, out IReadOnlyList<ToolCallDelta> calls);
            content += parser.Flush(out IReadOnlyList<ToolCallDelta> last);
            Assert.Equal("", content);
            numSeveral += parser.NumCalls > 1 ? 1 : 0;
            foreach (IGrouping<int, ToolCallDelta> call in calls.Concat(last).GroupBy(c => c.Index))
            {
                JsonNode? schema = _tools.Single(t => t.Item1 == call.First().Name).Item2;
                JsonNode? arguments = JsonNode.Parse(string.Concat(call.Select(c => c.Arguments)));
                Assert.True(SchemaValidator.IsValid(schema, arguments, schema!), text);
            }
        }

        Assert.True(numEnded > 20, $"{numEnded} ended");
        Assert.True(numSeveral > 0 == format.AllowsSeveral, $"{numSeveral} with several calls");
    }

    [Fact]
    public void Calls_DeepSeekVocabulary_AreItsOwnMarkerTokens()
    {
        ITokenizer tokenizer = GrammarKit.DeepSeek.Tokenizer;
        Grammar grammar = new GrammarCompiler(GrammarKit.DeepSeek).ToolCalls(ToolCallFormat.DeepSeekV3, _tools, allowsSeveral: false);
        ITokenConstraint constraint = grammar.CreateConstraint();
        Assert.True(tokenizer.TryGetId("<｜tool▁calls▁begin｜>", out int begin));
        Assert.Equal([begin], Enumerable.Range(0, tokenizer.VocabSize).Where(t => TokenMask.IsAllowed(constraint.Mask(), t)));
        foreach (int token in tokenizer.Encode("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>stop\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>"))
        {
            Assert.True(TokenMask.IsAllowed(constraint.Mask(), token), tokenizer.Decode([token]));
            constraint.Accept(token);
        }

        Assert.True(constraint.IsComplete);
    }

    [Fact]
    public void OtherNames_AreNamedInTheError()
        => Assert.Contains("'bad'", Assert.Throws<GrammarException>(() => GrammarKit.Compiler.ToolCalls(ToolCallFormat.Hermes, [("bad", JsonNode.Parse("""{"not":{}}"""))], false)).Message);
}
