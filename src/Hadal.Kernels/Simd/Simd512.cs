using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Hadal.Kernels.Simd;

/// <summary>AVX-512 (F, BW, VL): 16 floats.</summary>
internal readonly unsafe struct Simd512 : ISimd<Vector512<float>>
{
    // 2^120
    private const float TwoTo120 = 1.329227995784916e36f;

    // 2^-14, the smallest normal binary16
    private const float TwoToMinus14 = 6.103515625e-05f;

    public static bool IsSupported => Avx512F.IsSupported && Avx512BW.IsSupported && Avx512F.VL.IsSupported;

    public static int Count => 16;

    public static int MaxTileTokens => 6;

    public static bool HasE4M3x4 => Avx512Vbmi.IsSupported;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Broadcast(float value) => Vector512.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(float* p) => Vector512.Load(p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<float> v, float* p) => v.Store(p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Multiply(Vector512<float> a, Vector512<float> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> MultiplyAdd(Vector512<float> a, Vector512<float> b, Vector512<float> c)
        => Avx512F.FusedMultiplyAdd(a, b, c);

    // Transpose-and-add: after two unpack rounds each 128-bit lane holds [a, b, c, d]; then the four lanes are added.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Sum4(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d)
    {
        Vector512<double> ab = (Avx512F.UnpackLow(a, b) + Avx512F.UnpackHigh(a, b)).AsDouble();
        Vector512<double> cd = (Avx512F.UnpackLow(c, d) + Avx512F.UnpackHigh(c, d)).AsDouble();
        Vector512<float> abcd = Avx512F.UnpackLow(ab, cd).AsSingle() + Avx512F.UnpackHigh(ab, cd).AsSingle();
        Vector256<float> half = abcd.GetLower() + abcd.GetUpper();
        return half.GetLower() + half.GetUpper();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadF16(ushort* p) => HalfToSingle(Avx512F.ConvertToVector512UInt32(Vector256.Load(p)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadBf16(ushort* p) => (Avx512F.ConvertToVector512UInt32(Vector256.Load(p)) << 16).AsSingle();

    // Exponent and mantissa land 120 exponent steps low (subnormal codes as float32 subnormals), so one exact multiply gives the value.
    // Only code 0x7F must be patched: e4m3fn has no infinities but a NaN there.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadE4M3(byte* p)
    {
        Vector512<int> code = Avx512F.ConvertToVector512Int32(Vector128.Load(p));
        Vector512<int> bits = ((code << 24) >> 4) & Vector512.Create(unchecked((int)0x87F00000));
        Vector512<float> value = bits.AsSingle() * Vector512.Create(TwoTo120);
        Vector512<int> isNaN = Vector512.Equals(code & Vector512.Create(0x7F), Vector512.Create(0x7F));
        return Vector512.ConditionalSelect(isNaN.AsSingle(), Vector512.Create(float.NaN), value);
    }

    // Every e4m3 value is a bf16, and 128 magnitudes fit a two-register byte table: one look-up gives the upper bytes (sign added from the code),
    // one the lower. Unpacking works within 128-bit lanes, so the codes' dwords are transposed first: vector v, lane L then holds dword 4v + L.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadE4M3x4(byte* p, out Vector512<float> a, out Vector512<float> b, out Vector512<float> c, out Vector512<float> d)
    {
        Vector512<byte> codes = Avx512F.PermuteVar16x32(
            Vector512.Load((uint*)p), Vector512.Create(0u, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)).AsByte();
        Vector512<byte> upper = Avx512Vbmi.PermuteVar64x8x2(
            Vector512.Create(
                (byte)0x00, 0x3B, 0x3B, 0x3B, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C,
                0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D, 0x3D,
                0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E,
                0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F),
            codes,
            Vector512.Create(
                (byte)0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40,
                0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41,
                0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42,
                0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x7F));
        Vector512<byte> lower = Avx512Vbmi.PermuteVar64x8x2(
            Vector512.Create(
                (byte)0x00, 0x00, 0x80, 0xC0, 0x00, 0x20, 0x40, 0x60, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0,
                0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0,
                0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0,
                0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0),
            codes,
            Vector512.Create(
                (byte)0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0,
                0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0,
                0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0,
                0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xC0));
        upper |= codes & Vector512.Create((byte)0x80);
        Vector512<ushort> ab = Avx512BW.UnpackLow(lower, upper).AsUInt16();
        Vector512<ushort> cd = Avx512BW.UnpackHigh(lower, upper).AsUInt16();
        a = Avx512BW.UnpackLow(Vector512<ushort>.Zero, ab).AsSingle();
        b = Avx512BW.UnpackHigh(Vector512<ushort>.Zero, ab).AsSingle();
        c = Avx512BW.UnpackLow(Vector512<ushort>.Zero, cd).AsSingle();
        d = Avx512BW.UnpackHigh(Vector512<ushort>.Zero, cd).AsSingle();
    }

    // e5m2 is the upper byte of a binary16.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadE5M2(byte* p) => HalfToSingle(Avx512F.ConvertToVector512UInt32(Vector128.Load(p)) << 8);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadI8(sbyte* p)
        => Avx512F.ConvertToVector512Single(Avx512F.ConvertToVector512Int32(Vector128.Load(p)));

    // .NET has no intrinsic for vcvtph2ps. Rebias the exponent by 112; infinities and NaN by another 112; a subnormal is
    // built as 2^-14 · (1 + m) - 2^-14, which never makes a float32 subnormal (those cost an assist on Intel).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> HalfToSingle(Vector512<uint> half)
    {
        Vector512<int> magnitude = ((half & Vector512.Create(0x7FFFu)) << 13).AsInt32();
        Vector512<uint> sign = (half & Vector512.Create(0x8000u)) << 16;
        Vector512<int> bits = magnitude + Vector512.Create(112 << 23);
        bits += Vector512.GreaterThan(magnitude, Vector512.Create(0x0F7FFFFF)) & Vector512.Create(112 << 23);
        Vector512<float> small = (magnitude + Vector512.Create(113 << 23)).AsSingle() - Vector512.Create(TwoToMinus14);
        Vector512<int> isSubnormal = Vector512.LessThan(magnitude, Vector512.Create(0x00800000));
        return (Vector512.ConditionalSelect(isSubnormal, small.AsInt32(), bits).AsUInt32() | sign).AsSingle();
    }
}
