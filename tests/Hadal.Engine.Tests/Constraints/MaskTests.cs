using System.Text.Json.Nodes;
using Hadal.Engine.Constraints;

namespace Hadal.Engine.Tests.Constraints;

/// <summary>Masks from the token tree, by state and by stack, against trying every token.</summary>
public sealed class MaskTests
{
    private static readonly (string Name, Func<GrammarCompiler, Grammar> Make)[] _grammars =
    [
        ("object", c => c.JsonObject()),
        ("schema", c => c.JsonSchema(JsonNode.Parse("""{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer","minimum":3,"maximum":120},"na":{"enum":["a","ab",null]},"tags":{"type":"array","items":{"type":"string","maxLength":5},"maxItems":3}},"required":["name"]}"""))),
        ("recursive", c => c.JsonSchema(JsonNode.Parse("""{"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"id":{"type":"number"},"next":{"anyOf":[{"$ref":"#/$defs/n"},{"type":"null"}]}},"required":["id","next"],"additionalProperties":false}}}"""))),
        ("open", c => c.JsonSchema(JsonNode.Parse("""{"type":"object","properties":{"ab":{"type":"boolean"}},"additionalProperties":{"type":"array"}}"""))),
        ("long", c => c.JsonSchema(JsonNode.Parse("""{"type":"string","minLength":3,"maxLength":40}"""))),
        ("pattern", c => c.JsonSchema(JsonNode.Parse("""{"type":"string","pattern":"^[a-c\"\\\\]{1,9}(yes|no)?$"}"""))),
        ("regex", c => c.Regex("(a|ab|abc|[0-9]{2,3})*b?.{0,3}")),
        ("choice", c => c.Choice(["yes", "no", "name", "na", "日本"])),
        ("gbnf", c => c.Gbnf("root ::= expr\nexpr ::= term ((\"+\" | \"-\") term)*\nterm ::= [0-9]+ | \"(\" expr \")\" | ab*\nab ::= \"a\" \"b\"?")),
        ("nullable", c => c.Gbnf("root ::= a a a \"b\" rest\na ::= \"a\"?\nrest ::= (\"aa\" rest)?")),
    ];

    public static TheoryData<string> Names => [.. _grammars.Select(g => g.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Mask_SmallVocabulary_EqualsBruteForce(string name)
    {
        Grammar grammar = _grammars.Single(g => g.Name == name).Make(GrammarKit.Compiler);
        var random = new Random(5);
        int numMasks = 0;
        for (int walk = 0; walk < 40; walk++)
        {
            GrammarKit.RandomWalk(grammar, random, 40, (constraint, tokens) =>
            {
                Assert.Equal(GrammarKit.BruteForceMask(grammar, tokens), constraint.Mask().ToArray());
                numMasks++;
            });
        }

        Assert.True(numMasks > 60, $"{numMasks} masks");
    }

    [Theory]
    [InlineData("object")]
    [InlineData("schema")]
    [InlineData("open")]
    [InlineData("long")]
    [InlineData("gbnf")]
    public void Mask_DeepSeekVocabulary_EqualsBruteForce(string name)
    {
        var compiler = new GrammarCompiler(GrammarKit.DeepSeek);
        Grammar grammar = _grammars.Single(g => g.Name == name).Make(compiler);
        var random = new Random(6);
        for (int walk = 0; walk < 3; walk++)
        {
            GrammarKit.RandomWalk(grammar, random, 14, (constraint, tokens) =>
                Assert.True(GrammarKit.BruteForceMask(grammar, tokens).AsSpan().SequenceEqual(constraint.Mask()), $"after '{compiler.Vocabulary.Tokenizer.Decode([.. tokens])}'"));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Rollback_OfAnyNumber_IsAsIfNeverAccepted(string name)
    {
        Grammar grammar = _grammars.Single(g => g.Name == name).Make(GrammarKit.Compiler);
        var random = new Random(7);
        for (int round = 0; round < 20; round++)
        {
            (int[] tokens, _, _) = GrammarKit.RandomWalk(grammar, random, 30);
            ITokenConstraint constraint = grammar.CreateConstraint();
            var masks = new List<uint[]>();
            foreach (int token in tokens)
            {
                masks.Add(constraint.Mask().ToArray());
                constraint.Accept(token);
            }

            for (int i = 0; i < 10 && tokens.Length > 0; i++)
            {
                int back = random.Next(tokens.Length + 1);
                constraint.Rollback(back);
                for (int at = tokens.Length - back; at < tokens.Length; at++)
                {
                    Assert.Equal(masks[at], constraint.Mask().ToArray());
                    constraint.Accept(tokens[at]);
                }
            }
        }
    }

    [Fact]
    public void End_IsAllowedWhereTheTextMayEndAndNowhereElse()
    {
        int end = GrammarKit.SmallTokenizer.EndId;
        ITokenConstraint constraint = GrammarKit.Compiler.Regex("ab?").CreateConstraint();
        Assert.False(TokenMask.IsAllowed(constraint.Mask(), end));
        Assert.Throws<InvalidOperationException>(() => constraint.Accept(end));
        constraint.Accept('a');
        Assert.False(constraint.IsComplete);
        Assert.True(TokenMask.IsAllowed(constraint.Mask(), end));
        constraint.Accept(end);
        Assert.True(constraint.IsComplete);
        constraint.Rollback(1);
        constraint.Accept('b');
        Assert.True(constraint.IsComplete);
        Assert.Throws<InvalidOperationException>(() => constraint.Accept('b'));
    }

    [Fact]
    public void AddedTokens_AreNeverText()
    {
        ITokenConstraint constraint = GrammarKit.Compiler.Regex("[^x]*").CreateConstraint();
        foreach (string marker in (string[])["<call>", "</call>", "<think>"])
        {
            Assert.True(GrammarKit.SmallTokenizer.TryGetId(marker, out int id));
            Assert.False(TokenMask.IsAllowed(constraint.Mask(), id));
        }

        ITokenConstraint real = new GrammarCompiler(GrammarKit.DeepSeek).Regex("[^x]*").CreateConstraint();
        Assert.True(GrammarKit.DeepSeek.Tokenizer.TryGetId("<｜User｜>", out int user));
        Assert.False(TokenMask.IsAllowed(real.Mask(), user));
    }

    /// <summary>What keeps masks cheap, counted: bytes of tokens that the automaton reads, where trying every token reads over half a million.</summary>
    [Fact]
    public void Work_ForMasksOf128kTokens_IsSmallOnceTheStatesAreKnown()
    {
        var compiler = new GrammarCompiler(GrammarKit.DeepSeek);
        Grammar grammar = _grammars.Single(g => g.Name == "schema").Make(compiler);
        int[] tokens = compiler.Vocabulary.Tokenizer.Encode("""{"name": "a rather long name, with \"quotes\" and ünïcödé in it", "age": 42, "tags": ["x", "yz"]}""");
        Run(out long first);
        Run(out long second);
        Assert.True(first > 100_000, $"{first} steps at first");
        // Accepting the tokens' own bytes is in it, and tokens that reach over the end of a string or number.
        Assert.InRange(second / tokens.Length, 1, 4000);

        // Within a string the place is the same after each token: nothing is walked.
        var constraint = (GrammarConstraint)compiler.JsonObject().CreateConstraint();
        foreach (int token in compiler.Vocabulary.Tokenizer.Encode("""{"text": "once upon"""))
            constraint.Accept(token);
        constraint.Mask();
        long before = constraint.NumSteps;
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        int word = compiler.Vocabulary.Tokenizer.Encode(" a")[0];
        for (int i = 0; i < 1000; i++)
        {
            constraint.Accept(word);
            constraint.Mask();
        }

        Assert.Equal(2000, constraint.NumSteps - before);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - allocated, 0, 1000 * 200);

        void Run(out long steps)
        {
            var fresh = (GrammarConstraint)grammar.CreateConstraint();
            foreach (int token in tokens)
            {
                Assert.True(TokenMask.IsAllowed(fresh.Mask(), token));
                fresh.Accept(token);
            }

            steps = fresh.NumSteps;
        }
    }

    [Fact]
    public void ManyAtOnce_ShareAGrammar()
    {
        Grammar grammar = new GrammarCompiler(GrammarKit.Small).JsonObject();
        Parallel.For(0, 16, i =>
        {
            var random = new Random(i);
            for (int walk = 0; walk < 10; walk++)
            {
                (int[] tokens, string text, bool hasEnded) = GrammarKit.RandomWalk(grammar, random, 200);
                if (hasEnded)
                    Assert.IsType<JsonObject>(JsonNode.Parse(text, documentOptions: new() { MaxDepth = 500 }));
            }
        });
    }
}
