using FsCheck.Xunit;
using Hadal.Engine.Stopping;

namespace Hadal.Engine.Tests.Stopping;

public sealed class StopStringFilterTests
{
    [Theory]
    [InlineData("one two three", "one ", "two", "two")]
    [InlineData("abcabd", "abc", "abd", "abd")]
    [InlineData("aaab", "a", "aab", "aab")]
    [InlineData("xabcdy", "xa", "bc", "abcd", "bc")] // the one that ends first
    [InlineData("xabcy", "x", "abc", "bc", "abc")] // of those that end together, the longest
    [InlineData("no end", "no end", null, "never")]
    public void Append_OfText_StopsBeforeTheFirstStopString(string text, string expected, string? found, params string[] stops)
    {
        (string result, string? stop) = Run(text, [1], stops);
        Assert.Equal(expected, result);
        Assert.Equal(found, stop);
    }

    [Fact]
    public void Append_OfABeginning_HoldsOnlyThat()
    {
        var filter = new StopStringFilter(new StopStrings(["\n\nUser:"]));
        Assert.Equal("Hi.", filter.Append("Hi.\n", true));
        Assert.Equal("", filter.Append("\n", true));
        Assert.Equal("\n\nUse", filter.Append("Use it", true)[..5]);
        Assert.Null(filter.Found);
        Assert.Equal("", filter.Flush());
    }

    [Fact]
    public void Append_OfOrdinaryText_PassesTheStringItself()
    {
        var filter = new StopStringFilter(new StopStrings(["###"]));
        string text = new("abc");
        Assert.Same(text, filter.Append(text, true));
    }

    [Fact]
    public void Append_WhileItMayNotStop_LetsThroughAndStillFindsWhatEndsLater()
    {
        var filter = new StopStringFilter(new StopStrings(["ab", "bcd"]));
        Assert.Equal("xa", filter.Append("xab", mayStop: false));
        Assert.Equal("", filter.Append("c", mayStop: true));
        Assert.Equal("", filter.Append("d", mayStop: true));
        Assert.Equal("bcd", filter.Found);
    }

    /// <summary>Any cut of any text: the same output, which is the text before the stop string that ends first.</summary>
    [Property(MaxTest = 1000)]
    public void Append_InAnyPieces_GivesTheTextBeforeTheStringThatEndsFirst(byte[] letters, byte[] cuts, byte[][] stops)
    {
        // Three letters: overlaps are common.
        string text = string.Concat(letters.Select(b => (char)('a' + (b % 3))));
        string[] strings = [.. stops.Take(6).Where(s => s.Length > 0).Select(s => string.Concat(s.Take(5).Select(b => (char)('a' + (b % 3)))))];
        if (strings.Length == 0)
            strings = ["ab"];
        var first = Enumerable.Range(1, text.Length)
            .SelectMany(end => strings.Where(s => text[..end].EndsWith(s, StringComparison.Ordinal)).Select(s => (End: end, Stop: s)))
            .OrderBy(x => x.End).ThenByDescending(x => x.Stop.Length).FirstOrDefault();
        (string result, string? found) = Run(text, [.. cuts.Select(c => c % 5)], strings);
        Assert.Equal(first.Stop, found);
        Assert.Equal(first.Stop is null ? text : text[..(first.End - first.Stop.Length)], result);
        Assert.All(strings, s => Assert.DoesNotContain(s, result, StringComparison.Ordinal));
    }

    private static (string Text, string? Found) Run(string text, int[] cuts, string[] stops)
    {
        var filter = new StopStringFilter(new StopStrings(stops));
        string result = "";
        int at = 0;
        for (int i = 0; at < text.Length && filter.Found is null; i++)
        {
            int n = Math.Min(text.Length - at, cuts.Length == 0 ? 1 : Math.Max(i >= cuts.Length ? 1 : 0, cuts[i % cuts.Length]));
            result += filter.Append(text.Substring(at, n), true);
            at += n;
            // What is out can't be taken back, and what is held must be a beginning of a stop string.
            string held = text[..at][result.Length..];
            Assert.True(filter.Found is not null || held.Length == 0 || stops.Any(s => s.StartsWith(held, StringComparison.Ordinal)), $"holds '{held}'");
        }

        return (filter.Found is null ? result + filter.Flush() : result, filter.Found);
    }
}
