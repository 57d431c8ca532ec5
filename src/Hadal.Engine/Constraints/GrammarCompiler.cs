using System.Text.Json.Nodes;
using Hadal.Engine.Constraints.Automata;
using Hadal.Engine.Constraints.Sources;
using Hadal.Formats.Chat.Tools;

namespace Hadal.Engine.Constraints;

/// <summary>
/// Makes grammars for one vocabulary, and keeps those used last: clients send the same schema again and again. Thread-safe. What is hostile or too large is refused
/// within bounded time and memory (about a second and some hundred megabytes for the worst, milliseconds for what people write).
/// </summary>
public sealed class GrammarCompiler(TokenVocabulary vocabulary)
{
    private const int MaxKept = 64;

    // A state of a compiled grammar is some hundred bytes, without its masks.
    private const int MaxKeptStates = 500_000;

    private readonly Lock _lock = new();
    private readonly LinkedList<(string Key, Grammar Grammar)> _kept = [];
    private int _numKeptStates;

    public TokenVocabulary Vocabulary => vocabulary;

    /// <summary>Texts that are JSON and satisfy the schema (docs/structured-output.md says which keywords are known).</summary>
    /// <exception cref="GrammarException">It uses what is not supported, contradicts itself, or is too large.</exception>
    public Grammar JsonSchema(JsonNode? schema) => Get("json " + JsonLiteral.Write(schema), rules => JsonSchemaReader.Read(schema, rules, new JsonText(rules)));

    /// <summary>Any JSON object.</summary>
    public Grammar JsonObject() => Get("object", rules => new JsonText(rules).Object);

    /// <summary>Texts that the regular expression matches as a whole.</summary>
    /// <exception cref="GrammarException">It cannot be read, uses what no automaton can do, or is too large.</exception>
    public Grammar Regex(string pattern) => Get("regex " + pattern, rules => rules.Add("regular expression", RegexParser.Parse(pattern)));

    /// <summary>Texts of a grammar in llama.cpp's notation, from its rule root.</summary>
    /// <exception cref="GrammarException">It cannot be read, is left-recursive, never ends, or is too large.</exception>
    public Grammar Gbnf(string text) => Get("gbnf " + text, rules => GbnfParser.Parse(text, rules));

    /// <summary>One of the texts.</summary>
    /// <exception cref="GrammarException">There are none, or they are too large.</exception>
    public Grammar Choice(IReadOnlyList<string> choices)
    {
        if (choices.Count == 0)
            throw new GrammarException("There is nothing to choose from.");
        return Get("choice " + string.Join('\0', choices.Select(c => $"{c.Length} {c}")), rules => rules.Add("choice", GrammarNode.Any([.. choices.Select(GrammarNode.Text)])));
    }

    /// <summary>Calls of one or more of the tools, as a family of models writes them.</summary>
    /// <param name="format">The family's.</param>
    /// <param name="tools">Names and schemas of the arguments; null for any object.</param>
    /// <param name="allowsSeveral">More than one call.</param>
    /// <param name="answerSchema">What the text may be instead of calls; null for nothing else.</param>
    /// <exception cref="GrammarException">A schema cannot be used.</exception>
    public Grammar ToolCalls(ToolCallFormat format, IReadOnlyList<(string Name, JsonNode? Parameters)> tools, bool allowsSeveral, JsonNode? answerSchema = null)
    {
        ArgumentNullException.ThrowIfNull(format);
        string key = $"tools {format.Name} {allowsSeveral} {(answerSchema is null ? "" : JsonLiteral.Write(answerSchema))} " + string.Join('\0', tools.Select(t => $"{t.Name} {JsonLiteral.Write(t.Parameters)}"));
        return Get(key, rules => ToolCallGrammar.Read(format, tools, allowsSeveral, answerSchema, rules, vocabulary.Tokenizer));
    }

    internal Grammar Get(string key, Func<GrammarRules, GrammarNode.Rule> read)
    {
        lock (_lock)
        {
            if (Find(key) is { } known)
                return known;
        }

        var rules = new GrammarRules();
        GrammarNode.Rule root = read(rules);
        var grammar = new Grammar(Automaton.Compile(rules, root, vocabulary.MaxTokenBytes), vocabulary);
        lock (_lock)
        {
            // Two may have compiled it at once; the first one's masks may be in use.
            if (Find(key) is { } known)
                return known;
            _kept.AddFirst((key, grammar));
            _numKeptStates += grammar.NumStates;
            while (_kept.Count > 1 && (_kept.Count > MaxKept || _numKeptStates > MaxKeptStates))
            {
                _numKeptStates -= _kept.Last!.Value.Grammar.NumStates;
                _kept.RemoveLast();
            }
        }

        return grammar;
    }

    private Grammar? Find(string key)
    {
        for (var node = _kept.First; node is not null; node = node.Next)
        {
            if (node.Value.Key != key)
                continue;
            _kept.Remove(node);
            _kept.AddFirst(node);
            return node.Value.Grammar;
        }

        return null;
    }
}
