namespace Hadal.Engine.Sampling;

/// <summary>
/// Philox4x32-10, a counter-based generator: the number at (seed, counter) does not depend on any drawn before, so a sequence draws the
/// same numbers whatever else is in the batch and however often it was preempted.
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
/// </summary>
internal static class Philox
{
    /// <summary>Uniform in [0, 1) with 53 bits.</summary>
    public static double NextDouble(ulong seed, uint tokenIndex, uint choiceIndex)
    {
        UInt128 bits = Block((uint)seed, (uint)(seed >> 32), tokenIndex, choiceIndex, 0, 0);
        return ((ulong)bits >> 11) * (1.0 / (1UL << 53));
    }

    /// <summary>The four output words, first one lowest.</summary>
    public static UInt128 Block(uint key0, uint key1, uint c0, uint c1, uint c2, uint c3)
    {
        for (int round = 0; round < 10; round++)
        {
            ulong product0 = 0xD2511F53UL * c0;
            ulong product1 = 0xCD9E8D57UL * c2;
            c0 = (uint)(product1 >> 32) ^ c1 ^ key0;
            c1 = (uint)product1;
            c2 = (uint)(product0 >> 32) ^ c3 ^ key1;
            c3 = (uint)product0;
            key0 += 0x9E3779B9;
            key1 += 0xBB67AE85;
        }

        return new UInt128(((ulong)c3 << 32) | c2, ((ulong)c1 << 32) | c0);
    }
}
