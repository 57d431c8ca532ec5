namespace Hadal.Kernels.Mla;

/// <summary>What a product with one half of the joint up-projection costs, in the unit <see cref="Vectors.Split"/> counts in.</summary>
internal static class MlaCost
{
    /// <summary>Decoding a weight costs about what moving its float does; a token's multiply-add with it about a quarter.</summary>
    public static long Bytes(MlaShape shape, int rowsPerHead, int numTokens)
        => (long)shape.NumHeads * rowsPerHead * shape.KvLoraRank * (sizeof(float) + numTokens);
}
