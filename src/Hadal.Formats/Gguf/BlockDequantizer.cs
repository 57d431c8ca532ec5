using Hadal.Numerics;

namespace Hadal.Formats.Gguf;

/// <summary>Stored elements to float32, block types of ggml included. Plain loops in the order of the format: the oracle for faster code.</summary>
/// <remarks>Source of the layouts: github.com/ggml-org/ggml, src/ggml-common.h (block_q*) and src/ggml-quants.c (dequantize_row_*). Exact in float32 up to the rounding of one product and one sum per element.</remarks>
public static unsafe class BlockDequantizer
{
    /// <param name="dtype">A float type or a block type.</param>
    /// <param name="source">The stored bytes, of any alignment.</param>
    /// <param name="destination">A whole number of blocks.</param>
    public static void ToSingle(DType dtype, byte* source, Span<float> destination)
    {
        int block = dtype.BlockElements;
        if (destination.Length % block != 0)
        {
            throw new ArgumentException($"{destination.Length} elements are not a whole number of {dtype} blocks of {block}", nameof(destination));
        }

        int bytes = dtype.BlockBytes;
        for (int i = 0; i < destination.Length; i += block, source += bytes)
        {
            var b = new ReadOnlySpan<byte>(source, bytes);
            Span<float> y = destination.Slice(i, block);
            switch (dtype)
            {
                case DType.F32:
                    y[0] = BitConverter.ToSingle(b);
                    break;
                case DType.F16:
                    y[0] = Half(b);
                    break;
                case DType.Bf16:
                    y[0] = Bf16.ToSingle(BitConverter.ToUInt16(b));
                    break;
                case DType.Q8_0:
                    Q8_0(b, y);
                    break;
                case DType.Q4_0:
                    Q4(b[2..], Half(b), -8 * Half(b), y);
                    break;
                case DType.Q4_1:
                    Q4(b[4..], Half(b), Half(b[2..]), y);
                    break;
                case DType.Q5_0:
                    Q5(b[2..], Half(b), -16 * Half(b), y);
                    break;
                case DType.Q5_1:
                    Q5(b[4..], Half(b), Half(b[2..]), y);
                    break;
                case DType.Q4_K:
                    Q45K(b, default, b[16..], y);
                    break;
                case DType.Q5_K:
                    Q45K(b, b.Slice(16, 32), b[48..], y);
                    break;
                case DType.Q6_K:
                    Q6K(b, y);
                    break;
                default:
                    throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "not a float or block type");
            }
        }
    }

    private static float Half(ReadOnlySpan<byte> b) => (float)BitConverter.ToHalf(b);

    private static void Q8_0(ReadOnlySpan<byte> b, Span<float> y)
    {
        float d = Half(b);
        for (int j = 0; j < 32; j++)
        {
            y[j] = d * (sbyte)b[2 + j];
        }
    }

    /// <summary>Element j in the low nibble of byte j, element j + 16 in the high one. An offset of -8 d is exact: d has 11 bits.</summary>
    private static void Q4(ReadOnlySpan<byte> q, float d, float offset, Span<float> y)
    {
        for (int j = 0; j < 16; j++)
        {
            y[j] = (d * (q[j] & 15)) + offset;
            y[j + 16] = (d * (q[j] >> 4)) + offset;
        }
    }

    /// <summary>As Q4 with a fifth bit: bit j of the 32-bit word before the nibbles belongs to element j.</summary>
    private static void Q5(ReadOnlySpan<byte> b, float d, float offset, Span<float> y)
    {
        uint high = BitConverter.ToUInt32(b);
        ReadOnlySpan<byte> q = b[4..];
        for (int j = 0; j < 16; j++)
        {
            y[j] = (d * ((q[j] & 15) | (int)(((high >> j) & 1) << 4))) + offset;
            y[j + 16] = (d * ((q[j] >> 4) | (int)(((high >> (j + 16)) & 1) << 4))) + offset;
        }
    }

    /// <summary>
    /// f16 d, f16 dmin, 12 bytes of 6-bit scales and minima for 8 sub-blocks of 32, then (Q5_K) 32 bytes of fifth bits, then nibbles:
    /// 32 bytes hold sub-block 2i in their low halves and 2i + 1 in their high ones.
    /// </summary>
    private static void Q45K(ReadOnlySpan<byte> b, ReadOnlySpan<byte> high, ReadOnlySpan<byte> q, Span<float> y)
    {
        float d = Half(b);
        float dmin = Half(b[2..]);
        ReadOnlySpan<byte> s = b.Slice(4, 12);
        for (int sub = 0; sub < 8; sub++)
        {
            int scale = sub < 4 ? s[sub] & 63 : (s[sub + 4] & 15) | ((s[sub - 4] >> 6) << 4);
            int min = sub < 4 ? s[sub + 4] & 63 : (s[sub + 4] >> 4) | ((s[sub] >> 6) << 4);
            float d1 = d * scale;
            float m1 = dmin * min;
            ReadOnlySpan<byte> nibbles = q.Slice(sub / 2 * 32, 32);
            for (int l = 0; l < 32; l++)
            {
                int v = (nibbles[l] >> (sub % 2 * 4)) & 15;
                if (!high.IsEmpty)
                {
                    v |= ((high[l] >> sub) & 1) << 4;
                }

                y[(sub * 32) + l] = (d1 * v) - m1;
            }
        }
    }

    /// <summary>128 bytes of low nibbles, 64 of high bit pairs, 16 int8 scales of 16 elements each, f16 d; halves of 128 elements.</summary>
    private static void Q6K(ReadOnlySpan<byte> b, Span<float> y)
    {
        float d = Half(b[208..]);
        for (int half = 0; half < 2; half++)
        {
            ReadOnlySpan<byte> low = b.Slice(half * 64, 64);
            ReadOnlySpan<byte> high = b.Slice(128 + (half * 32), 32);
            ReadOnlySpan<byte> scales = b.Slice(192 + (half * 8), 8);
            for (int part = 0; part < 4; part++)
            {
                for (int l = 0; l < 32; l++)
                {
                    int nibble = (low[l + (part % 2 * 32)] >> (part / 2 * 4)) & 15;
                    int q = (nibble | (((high[l] >> (part * 2)) & 3) << 4)) - 32;
                    y[(half * 128) + (part * 32) + l] = d * (sbyte)scales[(part * 2) + (l / 16)] * q;
                }
            }
        }
    }
}
