using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hadal.Numerics;

namespace Hadal.Kernels.Vectors;

/// <remarks>Decoding is scalar: below AVX2 it is a floor, not a fast path.</remarks>
internal readonly unsafe partial struct Lanes128
{
    public static bool HasE4M3x4
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => false;
    }

    public static Vector128<float> LoadF16(ushort* source)
    {
        var halves = (Half*)source;
        return Vector128.Create((float)halves[0], (float)halves[1], (float)halves[2], (float)halves[3]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadBf16(ushort* source)
    {
        Vector64<ushort> bits = Vector64.Load(source);
        return Vector128.ShiftLeft(Vector128.Create(Vector64.WidenLower(bits), Vector64.WidenUpper(bits)), 16).AsSingle();
    }

    public static Vector128<float> LoadE4M3(byte* source)
        => Vector128.Create(Fp8.E4M3ToSingle(source[0]), Fp8.E4M3ToSingle(source[1]), Fp8.E4M3ToSingle(source[2]), Fp8.E4M3ToSingle(source[3]));

    public static void LoadE4M3x4(byte* source, out Vector128<float> a, out Vector128<float> b, out Vector128<float> c, out Vector128<float> d)
        => throw new NotSupportedException();

    public static Vector128<float> LoadE5M2(byte* source)
        => Vector128.Create(Fp8.E5M2ToSingle(source[0]), Fp8.E5M2ToSingle(source[1]), Fp8.E5M2ToSingle(source[2]), Fp8.E5M2ToSingle(source[3]));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadI8(sbyte* source) => Vector128.Create((float)source[0], source[1], source[2], source[3]);
}
