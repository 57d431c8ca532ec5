using System.Text;
using Hadal.Formats.Tokenization.Patterns;
using Hadal.Numerics;

namespace Hadal.Formats.Tests.Tokenization;

public sealed class PatternTests
{
    [Theory]
    [InlineData("a+", "baac", "aa")]
    [InlineData("a|ab", "ab", "a")]
    [InlineData("(?:a|ab)c", "abc", "abc")]
    [InlineData("a{2,3}", "aaaaa", "aaa,aa")]
    [InlineData("a{2}", "aaaaa", "aa,aa")]
    [InlineData("a{,2}b", "aaab", "aab")]
    [InlineData("a{x", "a{x", "a{x")]
    [InlineData("a+?", "aaa", "a,a,a")]
    [InlineData("(?:ab)+", "ababa", "abab")]
    [InlineData("(?:ab)*?c", "ababc", "ababc")]
    [InlineData("a++a", "aaa", "")]
    [InlineData("(?>a|ab)c", "abc", "")]
    [InlineData("(?:ab){1,2}c", "ababababc", "ababc")]
    [InlineData(@"\s+(?!\S)|\s+", "a   b  ", "  , ,  ")]
    [InlineData("a(?=b)", "abac", "a")]
    [InlineData(@"\s+$", "a  \n  b  ", "  ,  ")]
    [InlineData("^a", "a\na\n", "a,a")]
    [InlineData(@"\Aa|b\z", "abab", "a,b")]
    [InlineData(@"\bcat\b", "cat concat cat", "cat,cat")]
    [InlineData(".", "a\nb", "a,b")]
    [InlineData(@"\p{L}+", "aé𝔸𐐷1", "aé𝔸𐐷")]
    [InlineData(@"\p{N}{1,3}", "12345²½Ⅷ𝟘", "123,45²,½Ⅷ𝟘")]
    [InlineData(@"\P{L}", "a1", "1")]
    [InlineData(@"\p{^L}", "a1", "1")]
    [InlineData(@"[^\s\p{L}\p{N}]+", "a!😀 b", "!😀")]
    [InlineData("[a-c-]+", "x-abc", "-abc")]
    [InlineData("[]a]+", "]a", "]a")]
    [InlineData("[a[bc]]+", "abcd", "abc")]
    [InlineData("[a-z&&[^b]]+", "abc", "a,c")]
    [InlineData(@"[\]\-\\]+", @"a]-\", @"]-\")]
    [InlineData("[一-龥]+", "a你好b", "你好")]
    [InlineData(@"[\x{10400}-\x{1044F}]", "𐐀", "𐐀")]
    [InlineData(@"\u0041\x42", "AB", "AB")]
    [InlineData("(?i:'s|'ll)", "'S 'ſ 'lL", "'S,'ſ,'lL")]
    [InlineData("(?i)[k]", "kKK", "k,K,K")]
    [InlineData("(?i:é)É", "ÉÉéé", "ÉÉ")]
    [InlineData("[^a](?i:b)", "xB", "xB")]
    public void Find_Pattern_GivesOnigurumasMatches(string pattern, string text, string expected) =>
        Assert.Equal(expected, string.Join(',', Matches(pattern, text)));

    [Theory]
    [InlineData("(")]
    [InlineData(")")]
    [InlineData("[a")]
    [InlineData("[b-a]")]
    [InlineData("*a")]
    [InlineData(@"a\")]
    [InlineData(@"(?<=a)b")]
    [InlineData(@"(a)\1")]
    [InlineData(@"\p{Greek}")]
    [InlineData(@"\p{L")]
    [InlineData("[[:alpha:]]")]
    [InlineData("(?x:a)")]
    [InlineData("(?:a*)*")]
    [InlineData("a{1001}")]
    [InlineData("(?:(?:(?:a{100}b){100}c){100}d){100}")]
    [InlineData(@"\x{110000}")]
    [InlineData(@"\G")]
    public void Constructor_UnknownConstruct_IsRefused(string pattern) => Assert.Throws<HadalException>(() => new RunePattern(pattern));

    [Fact]
    public void Constructor_DeepNesting_IsRefused()
    {
        Assert.Throws<HadalException>(() => new RunePattern(new string('(', 100_000)));
        Assert.Throws<HadalException>(() => new RunePattern(new string('[', 100_000)));
    }

    [Theory]
    [InlineData("(?:a+)+$", "b")]
    [InlineData("(?:a|a)+$", "b")]
    [InlineData("(?:a|aa)+$", "b")]
    public void Find_CatastrophicPattern_EndsInAnError(string pattern, string tail)
    {
        var e = Assert.Throws<HadalException>(() => Matches(pattern, new string('a', 60) + tail));
        Assert.Contains("backtracks", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Find_LongRuns_StayLinear()
    {
        // Each would be quadratic without the skip over failed runs, or overflow a stack with one frame per character.
        string spaces = new string(' ', 1_000_000) + "x";
        Assert.Empty(Matches(@"\s+$", spaces));
        Assert.Equal(2, Matches(@"\s+(?!\S)|\s+", spaces).Count);
        Assert.Single(Matches(@"\p{L}+", new string('a', 1_000_000)));
        Assert.Single(Matches("(?:ab)+", string.Concat(Enumerable.Repeat("ab", 200_000))));
    }

    [Fact]
    public void Contains_EveryCodePoint_AgreesWithTheCategory()
    {
        var pattern = new CharClass([], UnicodeCategories.Letter);
        for (int c = 0; c <= 0x10FFFF; c++)
        {
            if (c is >= 0xD800 and <= 0xDFFF) continue;
            if (pattern.Contains(c) != Rune.IsLetter(new Rune(c))) Assert.Fail($"U+{c:X4}");
        }
    }

    private static List<string> Matches(string pattern, string text)
    {
        var compiled = new RunePattern(pattern);
        var scratch = new PatternScratch();
        scratch.Allow(text.Length);
        var found = new List<string>();
        for (int from = 0; from < text.Length && compiled.Find(text, from, scratch, out int start, out int end); from = Math.Max(end, start + 1)) found.Add(text[start..end]);
        return found;
    }
}
