using System.Runtime.Intrinsics;

namespace Hadal.Kernels.Simd;

/// <summary>What the weight kernels need of a vector width, so that each kernel is written once and compiled per width.</summary>
/// <typeparam name="TV">The vector of float32.</typeparam>
internal unsafe interface ISimd<TV>
    where TV : struct
{
    static abstract int Count { get; }

    /// <summary>Tokens of a 4-row tile whose sums fit the register file beside four decoded rows.</summary>
    static abstract int MaxTileTokens { get; }

    static abstract TV Broadcast(float value);

    static abstract TV Load(float* p);

    static abstract void Store(TV v, float* p);

    static abstract TV Multiply(TV a, TV b);

    /// <summary>a · b + c, rounded once where the hardware can.</summary>
    static abstract TV MultiplyAdd(TV a, TV b, TV c);

    /// <summary>[Σa, Σb, Σc, Σd]. Every position adds its lanes in the same order.</summary>
    static abstract Vector128<float> Sum4(TV a, TV b, TV c, TV d);

    static abstract TV LoadF16(ushort* p);

    static abstract TV LoadBf16(ushort* p);

    static abstract TV LoadE4M3(byte* p);

    /// <summary>Whether <see cref="LoadE4M3x4"/> is there: four vectors for little more than the price of one.</summary>
    static abstract bool HasE4M3x4 { get; }

    /// <summary>Four vectors, in order; the same bits as <see cref="LoadE4M3"/>.</summary>
    static abstract void LoadE4M3x4(byte* p, out TV a, out TV b, out TV c, out TV d);

    static abstract TV LoadE5M2(byte* p);

    static abstract TV LoadI8(sbyte* p);
}
