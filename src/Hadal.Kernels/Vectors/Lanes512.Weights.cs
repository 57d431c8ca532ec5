using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Hadal.Kernels.Vectors;

internal readonly unsafe partial struct Lanes512
{
    // 2^120
    private const float TwoTo120 = 1.329227995784916e36f;

    // 2^-14, the smallest normal binary16
    private const float TwoToMinus14 = 6.103515625e-05f;

    public static bool HasE4M3x4
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Avx512Vbmi.IsSupported;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadF16(ushort* source) => HalfToSingle(Avx512F.ConvertToVector512UInt32(Avx.LoadVector256(source)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadBf16(ushort* source)
        => Avx512F.ShiftLeftLogical(Avx512F.ConvertToVector512Int32(Avx.LoadVector256(source)), 16).AsSingle();

    // Exponent and mantissa land 120 exponent steps low (subnormal codes as float32 subnormals), so one exact multiply gives the value.
    // Only code 0x7F must be patched: e4m3fn has no infinities but a NaN there.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadE4M3(byte* source)
    {
        Vector512<int> code = Avx512F.ConvertToVector512Int32(Sse2.LoadVector128(source));
        Vector512<int> bits = Avx512F.And(
            Avx512F.ShiftRightArithmetic(Avx512F.ShiftLeftLogical(code, 24), 4), Vector512.Create(unchecked((int)0x87F00000)));
        Vector512<float> value = Avx512F.Multiply(bits.AsSingle(), Vector512.Create(TwoTo120));
        Vector512<int> isNaN = Avx512F.CompareEqual(Avx512F.And(code, Vector512.Create(0x7F)), Vector512.Create(0x7F));
        return Avx512F.BlendVariable(value, Vector512.Create(float.NaN), isNaN.AsSingle());
    }

    // Every e4m3 value is a bf16, and 128 magnitudes fit a two-register byte table: one look-up gives the upper bytes (sign added from the code),
    // one the lower. Unpacking works within 128-bit lanes, so the codes' dwords are transposed first: vector v, lane L then holds dword 4v + L.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadE4M3x4(byte* source, out Vector512<float> a, out Vector512<float> b, out Vector512<float> c, out Vector512<float> d)
    {
        Vector512<byte> codes = Avx512F.PermuteVar16x32(
            Avx512F.LoadVector512((uint*)source), Vector512.Create(0u, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)).AsByte();
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
        upper = Avx512F.Or(upper, Avx512F.And(codes, Vector512.Create((byte)0x80)));
        Vector512<ushort> ab = Avx512BW.UnpackLow(lower, upper).AsUInt16();
        Vector512<ushort> cd = Avx512BW.UnpackHigh(lower, upper).AsUInt16();
        a = Avx512BW.UnpackLow(Vector512<ushort>.Zero, ab).AsSingle();
        b = Avx512BW.UnpackHigh(Vector512<ushort>.Zero, ab).AsSingle();
        c = Avx512BW.UnpackLow(Vector512<ushort>.Zero, cd).AsSingle();
        d = Avx512BW.UnpackHigh(Vector512<ushort>.Zero, cd).AsSingle();
    }

    // e5m2 is the upper byte of a binary16.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadE5M2(byte* source)
        => HalfToSingle(Avx512F.ShiftLeftLogical(Avx512F.ConvertToVector512UInt32(Sse2.LoadVector128(source)), 8));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadI8(sbyte* source)
        => Avx512F.ConvertToVector512Single(Avx512F.ConvertToVector512Int32(Sse2.LoadVector128(source)));

    // .NET has no intrinsic for vcvtph2ps. Rebias the exponent by 112; infinities and NaN by another 112; a subnormal is
    // built as 2^-14 · (1 + m) - 2^-14, which never makes a float32 subnormal (those cost an assist on Intel).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<float> HalfToSingle(Vector512<uint> half)
    {
        Vector512<int> magnitude = Avx512F.ShiftLeftLogical(Avx512F.And(half, Vector512.Create(0x7FFFu)), 13).AsInt32();
        Vector512<int> sign = Avx512F.ShiftLeftLogical(Avx512F.And(half, Vector512.Create(0x8000u)), 16).AsInt32();
        Vector512<int> bits = Avx512F.Add(magnitude, Vector512.Create(112 << 23));
        Vector512<int> isSpecial = Avx512F.CompareGreaterThan(magnitude, Vector512.Create(0x0F7FFFFF));
        bits = Avx512F.Add(bits, Avx512F.And(isSpecial, Vector512.Create(112 << 23)));
        Vector512<float> small = Avx512F.Subtract(Avx512F.Add(magnitude, Vector512.Create(113 << 23)).AsSingle(), Vector512.Create(TwoToMinus14));
        Vector512<int> isSubnormal = Avx512F.CompareLessThan(magnitude, Vector512.Create(0x00800000));
        return Avx512F.Or(Avx512F.BlendVariable(bits, small.AsInt32(), isSubnormal), sign).AsSingle();
    }
}
