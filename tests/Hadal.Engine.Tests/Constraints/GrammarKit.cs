using System.Text;
using System.Text.Json.Nodes;
using Hadal.Engine.Constraints;
using Hadal.Engine.Constraints.Matching;
using Hadal.Engine.Tests.Fakes;
using Hadal.Formats.Tokenization;

namespace Hadal.Engine.Tests.Constraints;

/// <summary>Vocabularies, and what tests ask of grammars.</summary>
internal static class GrammarKit
{
    private static readonly string[] _pieces =
    [
        "\"", "\":", "\": ", "\",", "\", ", "\"}", "\"]", "},", "}}", "]}", "{\"", "[\"", "[{", "\":\"", "true", "false", "null", "tr", "nu", "na", "name", "\"name", "age", "id",
        " \"", "  ", "\n", "\n  ", "12", "123", "0", "0.", "-1", ".5", "e1", "ab", "abc", "aa", "aaaa", "b", "ö", "日", "日本", "🍎", "\\n", "\\\"", "\\u", "the", " the", " a", ", ", ": ", "yes", "no",
        "2024", "-02-", "<tool", "call>", "}\n", "A", "AB",
    ];

    private static readonly Lazy<TokenVocabulary> _deepSeek = new(() => Real("deepseek_v3"));

    public static ListTokenizer SmallTokenizer { get; } = ListTokenizer.Bytes(_pieces, "<call>", "</call>", "<think>", "</think>");

    public static TokenVocabulary Small { get; } = new(SmallTokenizer, [SmallTokenizer.EndId]);

    public static GrammarCompiler Compiler { get; } = new(Small);

    public static TokenVocabulary DeepSeek => _deepSeek.Value;

    public static Grammar Schema(string schema) => Compiler.JsonSchema(JsonNode.Parse(schema));

    /// <summary>Whether the text is one of the grammar's, byte by byte.</summary>
    public static bool Accepts(Grammar grammar, string text) => Accepts(grammar, Encoding.UTF8.GetBytes(text));

    public static bool Accepts(Grammar grammar, byte[] text)
    {
        var walker = new PushdownWalker(grammar.Automaton, grammar.Vocabulary);
        Position[] positions = walker.Begin(out bool canEnd);
        if (text.Length > 0)
            walker.Step(positions, text, out canEnd);
        return canEnd;
    }

    /// <summary>The mask by trying every token from the place where these lead.</summary>
    public static uint[] BruteForceMask(Grammar grammar, IEnumerable<int> tokens)
    {
        TokenVocabulary vocabulary = grammar.Vocabulary;
        var walker = new PushdownWalker(grammar.Automaton, vocabulary);
        Position[] positions = walker.Begin(out bool canEnd);
        foreach (int token in tokens)
            positions = Step(token, out canEnd);
        var mask = new uint[TokenMask.NumWords(vocabulary.NumTokens)];
        for (int id = 0; id < vocabulary.NumTokens; id++)
        {
            if (vocabulary.IsEnd(id) ? canEnd : Step(id, out _).Length > 0)
                TokenMask.Allow(mask, id);
        }

        return mask;

        Position[] Step(int id, out bool end) => vocabulary.IsText(id)
            ? walker.Step(positions, vocabulary.Tokenizer.TokenBytes(id).Span, out end)
            : walker.StepToken(positions, id, out end);
    }

    /// <summary>Goes where the grammar allows, at random, until it ends; towards the end if it takes long.</summary>
    public static (int[] Tokens, string Text, bool HasEnded) RandomWalk(Grammar grammar, Random random, int maxTokens, Action<ITokenConstraint, IReadOnlyList<int>>? visit = null)
    {
        ITokenConstraint constraint = grammar.CreateConstraint();
        var tokens = new List<int>();
        var allowed = new List<int>();
        while (!constraint.IsComplete && tokens.Count < maxTokens)
        {
            visit?.Invoke(constraint, tokens);
            ReadOnlySpan<uint> mask = constraint.Mask();
            allowed.Clear();
            for (int id = 0; id < grammar.Vocabulary.NumTokens; id++)
            {
                if (TokenMask.IsAllowed(mask, id))
                    allowed.Add(id);
            }

            Assert.NotEmpty(allowed);
            int end = allowed.Find(id => grammar.Vocabulary.IsEnd(id)) is var e && grammar.Vocabulary.IsEnd(e) ? e : -1;
            int token = end >= 0 && random.Next(3) == 0 ? end : Choose(grammar, allowed, random, tokens.Count > maxTokens / 3);
            constraint.Accept(token);
            if (grammar.Vocabulary.IsEnd(token))
                return ([.. tokens], grammar.Vocabulary.Tokenizer.Decode([.. tokens]), true);
            tokens.Add(token);
        }

        return ([.. tokens], grammar.Vocabulary.Tokenizer.Decode([.. tokens]), constraint.IsComplete);
    }

    public static ITokenizer LoadTokenizer(string name)
    {
        string folder = Path.Combine(Repository(), "artifacts/test-data/tokenizers", name);
        Assert.True(Directory.Exists(folder), $"{folder} is absent: run eng/fetch-tokenizers.sh first.");
        return TokenizerLoader.FromFolder(folder);
    }

    private static int Choose(Grammar grammar, List<int> allowed, Random random, bool closing)
    {
        // Quotes and brackets that close are few among a hundred thousand tokens.
        if (closing || random.Next(3) == 0)
        {
            int[] closers = [.. allowed.Where(id => grammar.Vocabulary.Tokenizer.TokenBytes(id).Span is [(byte)'"' or (byte)'}' or (byte)']'])];
            if (closers.Length > 0)
                return closers[random.Next(closers.Length)];
        }

        return allowed[random.Next(allowed.Count)];
    }

    private static TokenVocabulary Real(string name)
    {
        ITokenizer tokenizer = LoadTokenizer(name);
        return new TokenVocabulary(tokenizer, [tokenizer.EosTokenId!.Value]);
    }

    private static string Repository()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Hadal.slnx")))
            folder = Path.GetDirectoryName(folder);
        return folder ?? throw new InvalidOperationException("the repository's root was not found above the test binaries");
    }
}
