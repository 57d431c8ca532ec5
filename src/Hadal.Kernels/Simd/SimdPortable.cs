using System.Numerics;
using System.Runtime.Intrinsics;
using Hadal.Numerics;

namespace Hadal.Kernels.Simd;

/// <summary>Whatever <see cref="Vector{T}"/> is on this machine; decoding is scalar. The floor below AVX2, not a fast path.</summary>
internal readonly unsafe struct SimdPortable : ISimd<Vector<float>>
{
    public static int Count => Vector<float>.Count;

    public static int MaxTileTokens => 2;

    public static bool HasE4M3x4 => false;

    public static Vector<float> Broadcast(float value) => new(value);

    public static Vector<float> Load(float* p) => Vector.Load(p);

    public static void Store(Vector<float> v, float* p) => Vector.Store(v, p);

    public static Vector<float> Multiply(Vector<float> a, Vector<float> b) => a * b;

    public static Vector<float> MultiplyAdd(Vector<float> a, Vector<float> b, Vector<float> c) => (a * b) + c;

    public static Vector128<float> Sum4(Vector<float> a, Vector<float> b, Vector<float> c, Vector<float> d)
        => Vector128.Create(Vector.Sum(a), Vector.Sum(b), Vector.Sum(c), Vector.Sum(d));

    public static Vector<float> LoadF16(ushort* p)
    {
        float* values = stackalloc float[Vector<float>.Count];
        for (int i = 0; i < Vector<float>.Count; i++)
        {
            values[i] = (float)BitConverter.UInt16BitsToHalf(p[i]);
        }

        return Vector.Load(values);
    }

    public static Vector<float> LoadBf16(ushort* p)
    {
        float* values = stackalloc float[Vector<float>.Count];
        for (int i = 0; i < Vector<float>.Count; i++)
        {
            values[i] = Bf16.ToSingle(p[i]);
        }

        return Vector.Load(values);
    }

    public static Vector<float> LoadE4M3(byte* p)
    {
        float* values = stackalloc float[Vector<float>.Count];
        for (int i = 0; i < Vector<float>.Count; i++)
        {
            values[i] = Fp8.E4M3ToSingle(p[i]);
        }

        return Vector.Load(values);
    }

    public static void LoadE4M3x4(byte* p, out Vector<float> a, out Vector<float> b, out Vector<float> c, out Vector<float> d)
        => throw new NotSupportedException();

    public static Vector<float> LoadE5M2(byte* p)
    {
        float* values = stackalloc float[Vector<float>.Count];
        for (int i = 0; i < Vector<float>.Count; i++)
        {
            values[i] = Fp8.E5M2ToSingle(p[i]);
        }

        return Vector.Load(values);
    }

    public static Vector<float> LoadI8(sbyte* p)
    {
        float* values = stackalloc float[Vector<float>.Count];
        for (int i = 0; i < Vector<float>.Count; i++)
        {
            values[i] = p[i];
        }

        return Vector.Load(values);
    }
}
