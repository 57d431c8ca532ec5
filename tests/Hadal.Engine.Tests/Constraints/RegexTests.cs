using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using Hadal.Engine.Constraints;

namespace Hadal.Engine.Tests.Constraints;

/// <summary>Regular expressions against those of the framework.</summary>
public sealed class RegexTests
{
    [Theory]
    [InlineData("abc")]
    [InlineData("a|bc|")]
    [InlineData("(a|b)*abb")]
    [InlineData("[a-c]{2,4}x?")]
    [InlineData("[^a]+")]
    [InlineData("a.b")]
    [InlineData(@"\d{3}-\w+")]
    [InlineData(@"\s\S\D\W")]
    [InlineData("(?:ab)+?c*?")]
    [InlineData("(?<x>a)b")]
    [InlineData("a{2,}b{0}c{,2}")]
    [InlineData(@"[\]\-a\\]+")]
    [InlineData("[日-本ö🍎]+")]
    [InlineData(@"\x41\u00e9|\u{41}")]
    [InlineData("^a$|^b|c$")]
    [InlineData("((a?)?b*)*c")]
    [InlineData("[]a]b")]
    public void Match_OfManyTexts_AgreesWithTheFramework(string pattern)
    {
        Grammar grammar = GrammarKit.Compiler.Regex(pattern);
        var regex = new Regex($"^(?:{pattern.Replace(@"\u{41}", "A", StringComparison.Ordinal)})\\z".Replace("^a$|^b|c$", "a|b|c", StringComparison.Ordinal), RegexOptions.None, TimeSpan.FromSeconds(5));
        foreach (string text in Texts(pattern, 3000))
        {
            // In the framework . takes halves of pairs, and \d and \w more than ASCII.
            if (text.Any(char.IsSurrogate) && pattern.AsSpan().ContainsAny('.', '^', '\\') || text.Any(c => c > 127) && pattern.Contains('\\', StringComparison.Ordinal))
                continue;
            Assert.True(regex.IsMatch(text) == GrammarKit.Accepts(grammar, text), $"{pattern} on '{text}'");
        }
    }

    [Fact]
    public void Match_OfRandomExpressions_AgreesWithTheFramework()
    {
        var random = new Random(17);
        int numMatches = 0;
        for (int round = 0; round < 400; round++)
        {
            string pattern = RandomPattern(random, 3);
            var regex = new Regex($"^(?:{pattern})\\z", RegexOptions.None, TimeSpan.FromSeconds(5));
            Grammar grammar;
            try
            {
                grammar = GrammarKit.Compiler.Regex(pattern);
            }
            catch (GrammarException e) when (e.Message.Contains("empty text", StringComparison.Ordinal))
            {
                continue;
            }

            for (int i = 0; i < 60; i++)
            {
                string text = string.Concat(Enumerable.Range(0, random.Next(7)).Select(_ => "abcd"[random.Next(4)]));
                bool isMatch = regex.IsMatch(text);
                numMatches += isMatch ? 1 : 0;
                Assert.True(isMatch == GrammarKit.Accepts(grammar, text), $"{pattern} on '{text}'");
            }

            (_, string walked, bool hasEnded) = GrammarKit.RandomWalk(grammar, random, 60);
            // In the framework, characters beyond the BMP are two.
            Assert.True(!hasEnded || walked.Any(char.IsSurrogate) || regex.IsMatch(walked), $"{pattern} gave '{walked}'");
        }

        Assert.True(numMatches > 1000, $"{numMatches} matches");
    }

    [Theory]
    [InlineData("(a", "not closed")]
    [InlineData("a)", "closes no group")]
    [InlineData("[a", "not closed")]
    [InlineData("*a", "nothing to repeat")]
    [InlineData("a**", "follows another")]
    [InlineData("a{3,2}", "larger number first")]
    [InlineData("[z-a]", "larger end first")]
    [InlineData("(?=a)b", "look-around")]
    [InlineData("(?<!a)b", "look-around")]
    [InlineData(@"(a)\1", "back reference")]
    [InlineData(@"\bword\b", "word boundaries")]
    [InlineData(@"\p{L}", "Unicode categories")]
    [InlineData("a^b", "'^'")]
    [InlineData("(a$)b", "'$'")]
    [InlineData("\\", "ends with a backslash")]
    [InlineData(@"\ud800", "surrogate")]
    [InlineData("", "empty text")]
    [InlineData("a{999999999}", "over")]
    public void Refused_SaysWhy(string pattern, string part)
        => Assert.Contains(part, Assert.Throws<GrammarException>(() => GrammarKit.Compiler.Regex(pattern)).Message);

    [Theory]
    [InlineData("(a{1000}){1000}")]
    [InlineData("((((a{50}){50}){50}){50}){50}")]
    [InlineData("(a|b)*a(a|b){24}")]
    [InlineData("(x+x+)+y{0,99999}")]
    [InlineData("(((((((a*)*)*)*)*)*)*)*{5}[^a]{70000}")]
    public void Hostile_IsRefusedSoon(string pattern)
    {
        long before = Stopwatch.GetTimestamp();
        Assert.Throws<GrammarException>(() => GrammarKit.Compiler.Regex(pattern));
        // Generous: under a second on an idle machine.
        Assert.True(Stopwatch.GetElapsedTime(before) < TimeSpan.FromSeconds(20));
        Assert.Throws<GrammarException>(() => GrammarKit.Compiler.Regex(new string('(', 15_000)));
    }

    [Fact]
    public void Exponential_ForBacktracking_IsNothingSpecial()
    {
        Grammar grammar = GrammarKit.Compiler.Regex("(a+)+$|(a|aa)+b");
        Assert.True(grammar.NumStates < 20);
        Assert.True(GrammarKit.Accepts(grammar, new string('a', 50_000)));
        Assert.False(GrammarKit.Accepts(grammar, new string('a', 50_000) + "!"));
    }

    private static IEnumerable<string> Texts(string pattern, int count)
    {
        var random = new Random(pattern.Length);
        string alphabet = pattern + "abcx0 9\n日ö🍎AÉé-";
        List<string> runes = [.. alphabet.EnumerateRunes().Select(r => r.ToString()).Distinct()];
        foreach (string text in (string[])["", "a", "b", "c", "abb", "aabb", "aa", "aabbb", "123-abc", "ababcc", "日本", "a🍎b", "Aé", "A", "]b", "aac", "ab"])
            yield return text;
        for (int i = 0; i < count; i++)
        {
            var text = new StringBuilder();
            for (int n = random.Next(8); n > 0; n--)
                text.Append(runes[random.Next(runes.Count)]);
            yield return text.ToString();
        }
    }

    private static string RandomPattern(Random random, int depth) => random.Next(depth == 0 ? 3 : 9) switch
    {
        0 => "a",
        1 => "[bc]",
        2 => "[^ab]",
        3 => RandomPattern(random, depth - 1) + RandomPattern(random, depth - 1),
        4 => $"({RandomPattern(random, depth - 1)}|{RandomPattern(random, depth - 1)})",
        5 => $"(?:{RandomPattern(random, depth - 1)})*",
        6 => $"({RandomPattern(random, depth - 1)})?",
        7 => $"({RandomPattern(random, depth - 1)}){{1,3}}",
        _ => $"({RandomPattern(random, depth - 1)})+",
    };
}
