using System.Numerics;
using System.Runtime.InteropServices;

namespace Hadal.Optimize.Quantization;

/// <summary>Sums over spans, as wide as the machine's vectors.</summary>
internal static class VectorSpan
{
    public static float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        b = b[..a.Length];
        ReadOnlySpan<Vector<float>> va = MemoryMarshal.Cast<float, Vector<float>>(a);
        ReadOnlySpan<Vector<float>> vb = MemoryMarshal.Cast<float, Vector<float>>(b);
        Vector<float> s0 = Vector<float>.Zero;
        Vector<float> s1 = Vector<float>.Zero;
        int i = 0;
        for (; i + 1 < va.Length; i += 2)
        {
            s0 += va[i] * vb[i];
            s1 += va[i + 1] * vb[i + 1];
        }

        if (i < va.Length)
        {
            s0 += va[i] * vb[i];
        }

        float sum = Vector.Sum(s0 + s1);
        for (int k = va.Length * Vector<float>.Count; k < a.Length; k++)
        {
            sum += a[k] * b[k];
        }

        return sum;
    }

    /// <summary>y += f · x</summary>
    public static void AddScaled(Span<float> y, ReadOnlySpan<float> x, float f)
    {
        x = x[..y.Length];
        Span<Vector<float>> vy = MemoryMarshal.Cast<float, Vector<float>>(y);
        ReadOnlySpan<Vector<float>> vx = MemoryMarshal.Cast<float, Vector<float>>(x);
        var vf = new Vector<float>(f);
        for (int i = 0; i < vy.Length; i++)
        {
            vy[i] += vx[i] * vf;
        }

        for (int k = vy.Length * Vector<float>.Count; k < y.Length; k++)
        {
            y[k] += x[k] * f;
        }
    }

    public static float AbsMax(ReadOnlySpan<float> x)
    {
        Vector<float> most = Vector<float>.Zero;
        ReadOnlySpan<Vector<float>> vx = MemoryMarshal.Cast<float, Vector<float>>(x);
        foreach (Vector<float> v in vx)
        {
            most = Vector.Max(most, Vector.Abs(v));
        }

        float max = 0;
        for (int i = 0; i < Vector<float>.Count; i++)
        {
            max = MathF.Max(max, most[i]);
        }

        for (int k = vx.Length * Vector<float>.Count; k < x.Length; k++)
        {
            max = MathF.Max(max, MathF.Abs(x[k]));
        }

        return max;
    }
}
