using Hadal.Formats.Tokenization;
using Hadal.Formats.Tokenization.Patterns;

namespace Hadal.Formats.Tests.Tokenization;

public sealed class PreTokenizerTests
{
    // Expected values follow the reference's own tests of its split behaviours.
    [Theory]
    [InlineData("Isolated", false, "the|-|final|-|-|countdown")]
    [InlineData("Removed", false, "the|final|countdown")]
    [InlineData("MergedWithPrevious", false, "the-|final-|-|countdown")]
    [InlineData("MergedWithNext", false, "the|-final|-|-countdown")]
    [InlineData("Contiguous", false, "the|-|final|--|countdown")]
    [InlineData("Removed", true, "-|-|-")]
    [InlineData("Contiguous", true, "the|-|final|--|countdown")]
    public void Apply_SplitBehavior_FollowsReference(string behavior, bool invert, string expected)
    {
        var text = new PreTokenizedText();
        text.Reset("the-final--countdown");
        new SplitStep(new RunePattern("-"), Enum.Parse<SplitBehavior>(behavior), invert).Apply(text);
        Assert.Equal(expected, Pieces(text));
    }

    [Fact]
    public void Apply_AddPrefixSpace_OnlyWhereNoneIs()
    {
        var text = new PreTokenizedText();
        text.Reset("Hello there  dear");
        new ByteLevelStep(addPrefixSpace: true, useRegex: true).Apply(text);
        Assert.Equal(" Hello| there| | dear", Pieces(text));
    }

    [Fact]
    public void Apply_TwoSteps_LookAheadSeesOnlyItsPiece()
    {
        var text = new PreTokenizedText();
        text.Reset("a  1");
        new SplitStep(new RunePattern(@"\p{N}"), SplitBehavior.Isolated, invert: false).Apply(text);
        // The digit is another piece, so the spaces are at the end of theirs.
        new SplitStep(new RunePattern(@"\s+(?!\S)"), SplitBehavior.Isolated, invert: false).Apply(text);
        Assert.Equal("a|  |1", Pieces(text));
    }

    [Fact]
    public void Find_AddedTokens_LeftmostLongestWithOptions()
    {
        var matcher = new AddedTokenMatcher(
        [
            (new AddedToken(1, "<a>", true), "<a>"),
            (new AddedToken(2, "<a>b", true), "<a>b"),
            (new AddedToken(3, "word", false, SingleWord: true), "word"),
            (new AddedToken(4, "<m>", true, LStrip: true, RStrip: true), "<m>"),
        ]);
        Assert.Equal("2:<a>b 1:<a>", Found(matcher, "x<a>b<a>c"));
        Assert.Equal("3:word 3:word", Found(matcher, "word swordfish word"));
        Assert.Equal("4:  <m>\n", Found(matcher, "a  <m>\nb"));
        Assert.Equal("4: <m>   4:<m> ", Found(matcher, "a <m>  <m> b"));
    }

    private static string Found(AddedTokenMatcher matcher, string text)
    {
        var found = new List<string>();
        int from = 0, taken = 0;
        while (matcher.Find(text, ref from, taken, out int start, out int end, out int id))
        {
            found.Add($"{id}:{text[start..end]}");
            taken = end;
        }

        return string.Join(' ', found);
    }

    private static string Pieces(PreTokenizedText text) => string.Join('|', Enumerable.Range(0, text.Count).Select(i => text[i].ToString()));
}
