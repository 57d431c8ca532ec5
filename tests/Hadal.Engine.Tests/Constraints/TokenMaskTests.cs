using Hadal.Engine.Constraints;

namespace Hadal.Engine.Tests.Constraints;

public sealed class TokenMaskTests
{
    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 5)]
    [InlineData(64, 2)]
    [InlineData(101, 4)]
    [InlineData(101, 3)]
    [InlineData(31, 1)]
    public void Apply_AnyMask_BansExactlyWhatItDoesNotAllow(int vocabSize, int numWords)
    {
        var random = new Random(vocabSize + numWords);
        for (int round = 0; round < 20; round++)
        {
            uint[] mask = [.. Enumerable.Range(0, numWords).Select(_ => random.Next(4) switch { 0 => 0u, 1 => uint.MaxValue, _ => (uint)random.NextInt64(1L << 32) })];
            float[] logits = [.. Enumerable.Range(0, vocabSize).Select(i => (float)i)];
            TokenMask.Apply(mask, logits);
            for (int i = 0; i < vocabSize; i++)
                Assert.Equal(i / 32 < numWords && (mask[i / 32] >> (i % 32) & 1) == 1 ? i : float.NegativeInfinity, logits[i]);
        }
    }
}
