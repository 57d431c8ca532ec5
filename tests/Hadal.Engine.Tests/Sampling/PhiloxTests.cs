using Hadal.Engine.Sampling;

namespace Hadal.Engine.Tests.Sampling;

public sealed class PhiloxTests
{
    /// <summary>Known answers of the authors' Random123 library (kat_vectors, philox4x32 10).</summary>
    [Theory]
    [InlineData(0u, 0u, 0u, 0u, 0u, 0u, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [InlineData(0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [InlineData(0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xa4093822u, 0x299f31d0u, 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)]
    public void Block_OfKnownCounters_GivesTheKnownWords(uint c0, uint c1, uint c2, uint c3, uint key0, uint key1, uint w0, uint w1, uint w2, uint w3)
    {
        UInt128 block = Philox.Block(key0, key1, c0, c1, c2, c3);
        Assert.Equal([w0, w1, w2, w3], new[] { (uint)block, (uint)(block >> 32), (uint)(block >> 64), (uint)(block >> 96) });
    }

    [Fact]
    public void NextDouble_OverManyCounters_IsUniform()
    {
        const int Num = 64_000;
        var counts = new int[64];
        for (uint i = 0; i < Num; i++)
            counts[(int)(64 * Philox.NextDouble(7, i / 4, i % 4))]++;
        // Chi-square with 63 degrees of freedom: 120 has a chance of about 2e-5, and the numbers are fixed.
        double chiSquare = counts.Sum(c => (c - (Num / 64.0)) * (c - (Num / 64.0)) / (Num / 64.0));
        Assert.InRange(chiSquare, 20, 120);
    }
}
