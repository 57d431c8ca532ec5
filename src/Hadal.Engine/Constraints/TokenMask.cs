using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Hadal.Engine.Constraints;

/// <summary>Bit masks over token ids, 32 to a word.</summary>
public static class TokenMask
{
    /// <summary>Words that a mask of so many tokens has.</summary>
    public static int NumWords(int numTokens) => (numTokens + 31) / 32;

    public static bool IsAllowed(ReadOnlySpan<uint> mask, int token) => (uint)token / 32 < (uint)mask.Length && (mask[token / 32] >> (token % 32) & 1) != 0;

    public static void Allow(Span<uint> mask, int token) => mask[token / 32] |= 1u << (token % 32);

    public static void Ban(Span<uint> mask, int token) => mask[token / 32] &= ~(1u << (token % 32));

    /// <summary>Sets the logits of tokens that are not allowed to negative infinity; those beyond the mask too.</summary>
    public static void Apply(ReadOnlySpan<uint> mask, Span<float> logits)
    {
        Vector256<uint> bits = Vector256.Create(1u, 2, 4, 8, 16, 32, 64, 128);
        Vector256<float> banned = Vector256.Create(float.NegativeInfinity);
        int numWhole = Math.Min(mask.Length, logits.Length / 32);
        for (int w = 0; w < numWhole; w++)
        {
            uint word = mask[w];
            if (word == uint.MaxValue)
                continue;
            Span<Vector256<float>> part = MemoryMarshal.Cast<float, Vector256<float>>(logits.Slice(w * 32, 32));
            for (int i = 0; i < part.Length; i++, word >>= 8)
            {
                Vector256<uint> allowed = Vector256.Equals(Vector256.Create(word) & bits, bits);
                part[i] = Vector256.ConditionalSelect(allowed.AsSingle(), part[i], banned);
            }
        }

        for (int i = numWhole * 32; i < logits.Length; i++)
        {
            if (!IsAllowed(mask, i))
                logits[i] = float.NegativeInfinity;
        }
    }
}
