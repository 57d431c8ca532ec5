using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Hadal.Kernels.Vectors;

internal readonly unsafe partial struct Lanes256
{
    // 2^120
    private const float TwoTo120 = 1.329227995784916e36f;

    // 2^-14, the smallest normal binary16
    private const float TwoToMinus14 = 6.103515625e-05f;

    public static bool HasE4M3x4
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadF16(ushort* source) => HalfToSingle(Avx2.ConvertToVector256Int32(Vector128.Load(source)).AsUInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadBf16(ushort* source) => (Avx2.ConvertToVector256Int32(Vector128.Load(source)).AsUInt32() << 16).AsSingle();

    // Exponent and mantissa land 120 exponent steps low (subnormal codes as float32 subnormals), so one exact multiply gives the value.
    // Only code 0x7F must be patched: e4m3fn has no infinities but a NaN there.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadE4M3(byte* source)
    {
        Vector256<int> code = Avx2.ConvertToVector256Int32(source);
        Vector256<int> bits = ((code << 24) >> 4) & Vector256.Create(unchecked((int)0x87F00000));
        Vector256<float> value = bits.AsSingle() * Vector256.Create(TwoTo120);
        Vector256<int> isNaN = Vector256.Equals(code & Vector256.Create(0x7F), Vector256.Create(0x7F));
        return Vector256.ConditionalSelect(isNaN.AsSingle(), Vector256.Create(float.NaN), value);
    }

    public static void LoadE4M3x4(byte* source, out Vector256<float> a, out Vector256<float> b, out Vector256<float> c, out Vector256<float> d)
        => throw new NotSupportedException();

    // e5m2 is the upper byte of a binary16.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadE5M2(byte* source) => HalfToSingle(Avx2.ConvertToVector256Int32(source).AsUInt32() << 8);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadI8(sbyte* source)
        => Avx.ConvertToVector256Single(Avx2.ConvertToVector256Int32(source));

    // .NET has no intrinsic for vcvtph2ps. Rebias the exponent by 112; infinities and NaN by another 112; a subnormal is
    // built as 2^-14 · (1 + m) - 2^-14, which never makes a float32 subnormal (those cost an assist on Intel).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> HalfToSingle(Vector256<uint> half)
    {
        Vector256<int> magnitude = ((half & Vector256.Create(0x7FFFu)) << 13).AsInt32();
        Vector256<uint> sign = (half & Vector256.Create(0x8000u)) << 16;
        Vector256<int> bits = magnitude + Vector256.Create(112 << 23);
        bits += Vector256.GreaterThan(magnitude, Vector256.Create(0x0F7FFFFF)) & Vector256.Create(112 << 23);
        Vector256<float> small = (magnitude + Vector256.Create(113 << 23)).AsSingle() - Vector256.Create(TwoToMinus14);
        Vector256<int> isSubnormal = Vector256.LessThan(magnitude, Vector256.Create(0x00800000));
        return (Vector256.ConditionalSelect(isSubnormal, small.AsInt32(), bits).AsUInt32() | sign).AsSingle();
    }
}
