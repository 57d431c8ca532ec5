using System.Runtime.InteropServices;
using Hadal.Numerics;

namespace Hadal.TestKit.Gguf;

/// <summary>Floats to stored bytes, ggml's block types included: nearest values without ggml's search for better scales.</summary>
/// <remarks>Layouts: github.com/ggml-org/ggml, src/ggml-common.h.</remarks>
public static class ReferenceQuantizer
{
    /// <param name="type">A float or a block type.</param>
    /// <param name="values">A whole number of blocks.</param>
    public static byte[] Quantize(DType type, ReadOnlySpan<float> values)
    {
        int block = type.BlockElements;
        int bytes = type.BlockBytes;
        if (values.Length % block != 0)
        {
            throw new ArgumentException($"{values.Length} values are not a whole number of {type} blocks of {block}", nameof(values));
        }

        byte[] result = new byte[values.Length / block * bytes];
        for (int i = 0; i < values.Length / block; i++)
        {
            ReadOnlySpan<float> x = values.Slice(i * block, block);
            Span<byte> y = result.AsSpan(i * bytes, bytes);
            switch (type)
            {
                case DType.F32:
                    MemoryMarshal.Write(y, x[0]);
                    break;
                case DType.F16:
                    MemoryMarshal.Write(y, (Half)x[0]);
                    break;
                case DType.Bf16:
                    MemoryMarshal.Write(y, Bf16.FromSingle(x[0]));
                    break;
                case DType.Q8_0:
                    Q8_0(x, y);
                    break;
                case DType.Q4_0:
                    Symmetric(x, y, 4);
                    break;
                case DType.Q5_0:
                    Symmetric(x, y, 5);
                    break;
                case DType.Q4_1:
                    Affine(x, y, 4);
                    break;
                case DType.Q5_1:
                    Affine(x, y, 5);
                    break;
                case DType.Q4_K:
                    Q45K(x, y, 4);
                    break;
                case DType.Q5_K:
                    Q45K(x, y, 5);
                    break;
                case DType.Q6_K:
                    Q6K(x, y);
                    break;
                default:
                    throw new ArgumentOutOfRangeException(nameof(type), type, "no quantiser");
            }
        }

        return result;
    }

    private static float WriteHalf(Span<byte> y, float v)
    {
        var h = (Half)v;
        MemoryMarshal.Write(y, h);
        return (float)h;
    }

    private static int Nearest(float v, float step, int min, int max)
        => step == 0 ? Math.Clamp(0, min, max) : (int)Math.Clamp(MathF.Round(v / step), min, max);

    private static void Q8_0(ReadOnlySpan<float> x, Span<byte> y)
    {
        float d = WriteHalf(y, MaxAbs(x) / 127);
        for (int j = 0; j < 32; j++)
        {
            y[2 + j] = (byte)(sbyte)Nearest(x[j], d, -127, 127);
        }
    }

    /// <summary>Q4_0, Q5_0: the value of the largest magnitude, with its sign, becomes the lowest code.</summary>
    private static void Symmetric(ReadOnlySpan<float> x, Span<byte> y, int bits)
    {
        float extreme = 0;
        foreach (float v in x)
        {
            extreme = MathF.Abs(v) > MathF.Abs(extreme) ? v : extreme;
        }

        int half = 1 << (bits - 1);
        float d = WriteHalf(y, extreme / -half);
        Span<int> q = stackalloc int[32];
        for (int j = 0; j < 32; j++)
        {
            q[j] = Nearest(x[j], d, -half, half - 1) + half;
        }

        PackNibbles(q, y[2..], bits);
    }

    /// <summary>Q4_1, Q5_1: a scale and the minimum.</summary>
    private static void Affine(ReadOnlySpan<float> x, Span<byte> y, int bits)
    {
        (float min, float max) = MinMax(x);
        int top = (1 << bits) - 1;
        float d = WriteHalf(y, (max - min) / top);
        float m = WriteHalf(y[2..], min);
        Span<int> q = stackalloc int[32];
        for (int j = 0; j < 32; j++)
        {
            q[j] = Nearest(x[j] - m, d, 0, top);
        }

        PackNibbles(q, y[4..], bits);
    }

    private static void PackNibbles(ReadOnlySpan<int> q, Span<byte> y, int bits)
    {
        if (bits == 5)
        {
            uint high = 0;
            for (int j = 0; j < 32; j++)
            {
                high |= (uint)(q[j] >> 4) << j;
            }

            MemoryMarshal.Write(y, high);
            y = y[4..];
        }

        for (int j = 0; j < 16; j++)
        {
            y[j] = (byte)((q[j] & 15) | ((q[j + 16] & 15) << 4));
        }
    }

    private static void Q45K(ReadOnlySpan<float> x, Span<byte> y, int bits)
    {
        int top = (1 << bits) - 1;
        Span<float> scales = stackalloc float[8];
        Span<float> mins = stackalloc float[8];
        for (int s = 0; s < 8; s++)
        {
            (float min, float max) = MinMax(x.Slice(s * 32, 32));
            // The format subtracts a minimum that cannot be negative.
            mins[s] = MathF.Max(0, -min);
            scales[s] = (MathF.Max(max, 0) + mins[s]) / top;
        }

        float d = WriteHalf(y, MaxAbs(scales) / 63);
        float dmin = WriteHalf(y[2..], MaxAbs(mins) / 63);
        Span<byte> packed = y.Slice(4, 12);
        Span<byte> nibbles = y[(bits == 5 ? 48 : 16)..];
        for (int s = 0; s < 8; s++)
        {
            int scale = Nearest(scales[s], d, 0, 63);
            int min = Nearest(mins[s], dmin, 0, 63);
            if (s < 4)
            {
                packed[s] |= (byte)scale;
                packed[s + 4] |= (byte)min;
            }
            else
            {
                packed[s + 4] = (byte)((scale & 15) | ((min & 15) << 4));
                packed[s - 4] |= (byte)(scale >> 4 << 6);
                packed[s] |= (byte)(min >> 4 << 6);
            }

            for (int l = 0; l < 32; l++)
            {
                int q = Nearest(x[(s * 32) + l] + (dmin * min), d * scale, 0, top);
                nibbles[(s / 2 * 32) + l] |= (byte)((q & 15) << (s % 2 * 4));
                if (bits == 5)
                {
                    y[16 + l] |= (byte)((q >> 4) << s);
                }
            }
        }
    }

    private static void Q6K(ReadOnlySpan<float> x, Span<byte> y)
    {
        Span<float> scales = stackalloc float[16];
        for (int s = 0; s < 16; s++)
        {
            scales[s] = MaxAbs(x.Slice(s * 16, 16)) / 31;
        }

        float d = WriteHalf(y[208..], MaxAbs(scales) / 127);
        for (int i = 0; i < 256; i++)
        {
            int scale = Nearest(scales[i / 16], d, 0, 127);
            y[192 + (i / 16)] = (byte)scale;
            int q = Nearest(x[i], d * scale, -32, 31) + 32;
            int half = i / 128;
            int part = i % 128 / 32;
            int l = i % 32;
            y[(half * 64) + (part % 2 * 32) + l] |= (byte)((q & 15) << (part / 2 * 4));
            y[128 + (half * 32) + l] |= (byte)((q >> 4) << (part * 2));
        }
    }

    private static float MaxAbs(ReadOnlySpan<float> x)
    {
        float max = 0;
        foreach (float v in x)
        {
            max = MathF.Max(max, MathF.Abs(v));
        }

        return max;
    }

    private static (float Min, float Max) MinMax(ReadOnlySpan<float> x)
    {
        float min = float.PositiveInfinity;
        float max = float.NegativeInfinity;
        foreach (float v in x)
        {
            min = MathF.Min(min, v);
            max = MathF.Max(max, v);
        }

        return (min, max);
    }
}
