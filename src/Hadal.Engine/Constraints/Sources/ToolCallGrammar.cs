using System.Text.Json.Nodes;
using Hadal.Engine.Constraints.Automata;
using Hadal.Formats.Chat.Tools;
using Hadal.Formats.Tokenization;

namespace Hadal.Engine.Constraints.Sources;

/// <summary>The syntax of a family's tool calls around the schemas of the tools' arguments.</summary>
internal static class ToolCallGrammar
{
    // Who must call a tool and may call several would else go on for ever.
    private const int MaxCalls = 16;

    public static GrammarNode.Rule Read(ToolCallFormat format, IReadOnlyList<(string Name, JsonNode? Parameters)> tools, bool allowsSeveral, JsonNode? answerSchema, GrammarRules rules, ITokenizer tokenizer)
    {
        var json = new JsonText(rules);
        var choices = new List<GrammarNode>();
        foreach ((string name, JsonNode? parameters) in tools)
        {
            try
            {
                GrammarNode arguments = parameters is null ? json.Object : JsonSchemaReader.Read(parameters, rules, json);
                choices.Add(GrammarNode.Of(Text(name + format.AfterName), arguments));
            }
            catch (GrammarException e)
            {
                throw new GrammarException($"The parameters of the tool '{name}' cannot be enforced. {e.Message}");
            }
        }

        GrammarNode call = rules.Add("call", GrammarNode.Of(Text(format.BeforeName), GrammarNode.Any([.. choices]), Text(format.AfterArguments)));
        bool several = allowsSeveral && format.AllowsSeveral;
        GrammarNode more = new GrammarNode.Repeat(GrammarNode.Of(Text(format.Between), call), 0, several ? MaxCalls - 1 : 0);
        GrammarNode.Rule calls = rules.Add("calls", GrammarNode.Of(Text(format.Begin), call, more, Text(format.End)));
        return answerSchema is null ? calls : rules.Add("answer", GrammarNode.Any(calls, JsonSchemaReader.Read(answerSchema, rules, json)));

        // Markers that the tokenizer has as tokens of their own are those tokens; no other way to write them would be read back as such.
        GrammarNode Text(string text)
        {
            var parts = new List<GrammarNode>();
            while (text.Length > 0)
            {
                int at = text.Length, id = -1, length = 0;
                foreach (string marker in format.Markers)
                {
                    int found = text.IndexOf(marker, StringComparison.Ordinal);
                    if (found >= 0 && found < at && tokenizer.TryGetId(marker, out int token) && tokenizer.IsAdded(token))
                        (at, id, length) = (found, token, marker.Length);
                }

                if (at > 0)
                    parts.Add(GrammarNode.Text(text[..at]));
                if (id >= 0)
                    parts.Add(new GrammarNode.Token(id));
                text = text[(at + length)..];
            }

            return GrammarNode.Of([.. parts]);
        }
    }
}
