using Hadal.Formats.Tokenization;

namespace Hadal.Formats.Tests.Tokenization;

public sealed class NfcNormalizerTests
{
    // Cases of UAX #15 and its conformance test.
    [Theory]
    [InlineData("abc", "abc")]
    [InlineData("e\u0301", "\u00E9")]
    [InlineData("\u0344", "\u0308\u0301")]
    [InlineData("\u212B", "\u00C5")]
    [InlineData("\u2126", "\u03A9")]
    [InlineData("q\u0307\u0323", "q\u0323\u0307")]
    [InlineData("\u1E0B\u0323", "\u1E0D\u0307")]
    [InlineData("D\u0307\u0323", "\u1E0C\u0307")]
    [InlineData("\u0958", "\u0915\u093C")]
    [InlineData("\uFB1D", "\u05D9\u05B4")]
    [InlineData("\u1100\u1161\u11A8", "\uAC01")]
    [InlineData("\uAC00\u11A8", "\uAC01")]
    [InlineData("\uAC01\u11A8", "\uAC01\u11A8")]
    [InlineData("\u1100\u1161\u11A7", "\uAC00\u11A7")]
    [InlineData("\U0001D15E", "\U0001D157\U0001D165")]
    [InlineData("\U00011099\U000110BA", "\U0001109A")]
    [InlineData("\uF900", "\u8C48")]
    [InlineData("a\u0315\u0300\u05AE\u0300b", "\u00E0\u05AE\u0300\u0315b")]
    [InlineData("\u1B06\u1B35", "\u1B06\u1B35")]
    [InlineData("\u1FC1", "\u1FC1")]
    [InlineData("ﬁ①", "ﬁ①")]
    [InlineData("\u0301", "\u0301")]
    public void Normalize_KnownCases_GiveNfc(string text, string expected)
    {
        Assert.Equal(expected, NfcNormalizer.Instance.Normalize(text));
        Assert.Equal(expected, NfcNormalizer.Instance.Normalize(expected));
    }

    [Fact]
    public void Normalize_LongRunOfMarks_IsSorted()
    {
        string marks = string.Concat(Enumerable.Repeat("\u0301\u0323", 100_000));
        string expected = "x\u0323" + new string('\u0323', 99_999) + new string('\u0301', 100_000);
        Assert.Equal(expected, NfcNormalizer.Instance.Normalize("x" + marks));
    }

    [Fact]
    public void Encode_DecomposedText_EqualsComposed() =>
        Assert.Equal(GoldenTokenizers.Get("qwen3").Encode("é 한"), GoldenTokenizers.Get("qwen3").Encode("e\u0301 \u1112\u1161\u11AB"));
}
