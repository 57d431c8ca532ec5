using System.Runtime.Intrinsics;

namespace Hadal.Kernels.Vectors;

/// <summary>
/// What the kernels need of one register width, so that each is written once and compiled per ISA:
/// <typeparamref name="TV"/> is the register, the implementing type is the instruction set.
/// </summary>
/// <remarks>
/// The methods are the explicit ISA intrinsics rather than the portable ones: each width is one instruction, whatever the compiler's
/// preferred vector size. Ahead-of-time code takes the width of its baseline (eng/publish.sh: AVX2); a JIT takes the machine's.
/// </remarks>
internal unsafe interface ILanes<TV>
    where TV : unmanaged
{
    static abstract bool IsSupported { get; }

    /// <summary>Floats in a register.</summary>
    static abstract int Count { get; }

    /// <summary>32 registers: an 8 × 2 tile of accumulators fits; with 16 registers only 4 × 2 does.</summary>
    static abstract bool HasManyRegisters { get; }

    /// <summary>(-1, 1, -1, 1, …)</summary>
    static abstract TV AlternatingSigns { get; }

    static abstract TV Broadcast(float value);

    static abstract TV Load(float* source);

    /// <summary>Reads <paramref name="count"/> floats and not a byte more; the other lanes are 0.</summary>
    static abstract TV LoadPartial(float* source, int count);

    static abstract TV LoadF16(ushort* source);

    static abstract TV LoadBf16(ushort* source);

    static abstract TV LoadE4M3(byte* source);

    /// <summary>Whether <see cref="LoadE4M3x4"/> is there: four vectors for little more than the price of one.</summary>
    static abstract bool HasE4M3x4 { get; }

    /// <summary>Four vectors, in order; the same bits as <see cref="LoadE4M3"/>.</summary>
    static abstract void LoadE4M3x4(byte* source, out TV a, out TV b, out TV c, out TV d);

    static abstract TV LoadE5M2(byte* source);

    static abstract TV LoadI8(sbyte* source);

    /// <summary>(p0, p0, p1, p1, …): reads Count / 2 floats.</summary>
    static abstract TV LoadPairs(float* source);

    static abstract void Store(float* destination, TV value);

    static abstract void StorePartial(float* destination, int count, TV value);

    /// <summary>Rounds to nearest, ties to even; NaN stays a quiet NaN.</summary>
    static abstract void StoreBf16(ushort* destination, TV value);

    static abstract TV Add(TV a, TV b);

    static abstract TV Subtract(TV a, TV b);

    static abstract TV Multiply(TV a, TV b);

    static abstract TV Divide(TV a, TV b);

    /// <summary>a · b + c; in one rounding where the machine has it.</summary>
    static abstract TV MultiplyAdd(TV a, TV b, TV c);

    /// <summary>a &gt; b ? a : b, which is b where either is NaN: the order of the operands decides whether NaN passes.</summary>
    static abstract TV Max(TV a, TV b);

    static abstract TV Min(TV a, TV b);

    static abstract TV Round(TV value);

    /// <summary>2^n for integral n in -127 … 127; -127 gives 0.</summary>
    static abstract TV PowerOfTwo(TV n);

    /// <summary>a &lt; b ? yes : no; false where either is NaN.</summary>
    static abstract TV SelectLess(TV a, TV b, TV yes, TV no);

    /// <summary>Bit i is set where lane i of both is equal.</summary>
    static abstract uint EqualMask(TV a, TV b);

    /// <summary>(v1, v0, v3, v2, …)</summary>
    static abstract TV SwapPairs(TV value);

    static abstract float Sum(TV value);

    /// <summary>[Σa, Σb, Σc, Σd]. Every position adds its lanes in the same order.</summary>
    static abstract Vector128<float> Sum4(TV a, TV b, TV c, TV d);

    /// <summary>Stores the sums of eight registers side by side; a third of the shuffles that eight times <see cref="Sum"/> take.</summary>
    static abstract void StoreSums(float* destination, TV s0, TV s1, TV s2, TV s3, TV s4, TV s5, TV s6, TV s7);

    static abstract float MaxAcross(TV value);
}
