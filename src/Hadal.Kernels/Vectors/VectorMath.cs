using System.Runtime.CompilerServices;

namespace Hadal.Kernels.Vectors;

/// <summary>The exponential, a register at a time.</summary>
internal static class VectorMath<TLanes, TV>
    where TLanes : struct, ILanes<TV>
    where TV : unmanaged
{
    private const float Log2E = 1.44269504f;

    // ln 2 in two parts (Cody and Waite): the first has 15 significant bits, so n · Ln2High is exact for |n| < 512, fused or not.
    private const float Ln2High = 0.693145752f;
    private const float Ln2Low = 1.42860677e-6f;
    private const float Ln2 = 0.693147181f;

    /// <summary>e^x, at most 2 ulp off for results in the normal range, 0 below it, +∞ above; NaN stays NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV Exp(TV x)
    {
        // Outside these the result is 0 or infinity whatever x is; x stands second, so that NaN passes.
        x = TLanes.Min(TLanes.Broadcast(89.5f), TLanes.Max(TLanes.Broadcast(-104f), x));
        TV n = TLanes.Round(TLanes.Multiply(x, TLanes.Broadcast(Log2E)));
        TV r = TLanes.MultiplyAdd(n, TLanes.Broadcast(-Ln2High), x);
        r = TLanes.MultiplyAdd(n, TLanes.Broadcast(-Ln2Low), r);

        // In two steps, since n reaches 129 and -150 and one exponent field holds neither.
        TV half = TLanes.Round(TLanes.Multiply(n, TLanes.Broadcast(0.5f)));
        TV y = TLanes.Multiply(TLanes.Multiply(Polynomial(r), TLanes.PowerOfTwo(half)), TLanes.PowerOfTwo(TLanes.Subtract(n, half)));
        return TLanes.SelectLess(x, TLanes.Broadcast(-87.33655f), TLanes.Broadcast(0f), y);
    }

    /// <summary>2^x for x ≤ 0, at most 2 ulp off; exactly 0 below -126, and so for -∞; NaN stays NaN.</summary>
    /// <remarks>For softmax: the scores carry log2(e) in their scale, which saves the reduction by ln 2.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV Exp2NonPositive(TV x)
    {
        TV clamped = TLanes.Max(TLanes.Broadcast(-127f), x);
        TV n = TLanes.Round(clamped);
        TV y = TLanes.Multiply(Polynomial(TLanes.Multiply(TLanes.Subtract(clamped, n), TLanes.Broadcast(Ln2))), TLanes.PowerOfTwo(n));
        return TLanes.SelectLess(x, TLanes.Broadcast(-126f), TLanes.Broadcast(0f), y);
    }

    /// <summary>x / (1 + e^-x)</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV Silu(TV x)
        => TLanes.Divide(x, TLanes.Add(TLanes.Broadcast(1f), Exp(TLanes.Subtract(TLanes.Broadcast(0f), x))));

    /// <summary>1 / (1 + e^-x)</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV Sigmoid(TV x)
        => TLanes.Divide(TLanes.Broadcast(1f), TLanes.Add(TLanes.Broadcast(1f), Exp(TLanes.Subtract(TLanes.Broadcast(0f), x))));

    // e^r on |r| ≤ ln(2)/2, interpolated at the Chebyshev nodes: relative error 2.6e-9 before rounding.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TV Polynomial(TV r)
    {
        TV p = TLanes.Broadcast(0.0013941118896f);
        p = TLanes.MultiplyAdd(p, r, TLanes.Broadcast(0.0083751347746f));
        p = TLanes.MultiplyAdd(p, r, TLanes.Broadcast(0.0416663527711f));
        p = TLanes.MultiplyAdd(p, r, TLanes.Broadcast(0.1666641541404f));
        p = TLanes.MultiplyAdd(p, r, TLanes.Broadcast(0.5000000047146f));
        p = TLanes.MultiplyAdd(p, r, TLanes.Broadcast(1f));
        return TLanes.MultiplyAdd(p, r, TLanes.Broadcast(1f));
    }
}
