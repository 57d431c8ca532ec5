using FsCheck.Xunit;
using Hadal.Engine.Speculation;

namespace Hadal.Engine.Tests.Speculation;

public sealed class NgramDrafterTests
{
    [Theory]
    [InlineData(new[] { 1, 2, 3, 9, 1, 2, 3 }, 2, 4, 3)] // three agree
    [InlineData(new[] { 1, 2, 3, 9, 7, 2, 3, 8, 1, 2, 3 }, 2, 4, 3)] // the longest wins over the latest
    [InlineData(new[] { 2, 3, 9, 2, 3, 8, 2, 3 }, 2, 4, 5)] // the latest of equal ones
    [InlineData(new[] { 5, 5, 5 }, 1, 4, 2)] // overlaps itself
    [InlineData(new[] { 1, 2, 3 }, 1, 4, -1)]
    [InlineData(new[] { 1, 2, 1 }, 2, 4, -1)] // one agrees, two are asked for
    [InlineData(new[] { 1 }, 1, 4, -1)]
    public void Find_GivesWhatFollowsTheLongestAgreement(int[] tokens, int min, int max, int expected)
        => Assert.Equal(expected, NgramDrafter.Find(tokens, min, max));

    [Property]
    public void Find_OfAnyTokens_AgreesWithPlainLoops(int seed)
    {
        var random = new Random(seed);
        int[] tokens = [.. Enumerable.Range(0, random.Next(1, 60)).Select(_ => random.Next(4))];
        int min = random.Next(1, 4);
        int max = min + random.Next(3);
        int expected = -1;
        for (int n = max; n >= min && expected < 0; n--)
        {
            for (int at = tokens.Length - n - 1; at >= 0 && expected < 0; at--)
                expected = tokens.Skip(at).Take(n).SequenceEqual(tokens.TakeLast(n)) ? at + n : -1;
        }

        Assert.Equal(expected, NgramDrafter.Find(tokens, min, max));
    }
}
