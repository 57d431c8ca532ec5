using Hadal.Numerics;

namespace Hadal.Kernels.Packed;

/// <summary>GGUF rows as unsigned codes with an f16 scale (and minimum) per 32 columns.</summary>
internal static unsafe class GgufGroups
{
    public static void Read(DType dtype, byte* data, int columns, ushort* codes, ushort* scales, ushort* minima)
    {
        switch (dtype)
        {
            case DType.Q8_0:
                for (int g = 0; g < columns / 32; g++, data += 34)
                {
                    scales[g] = *(ushort*)data;
                    for (int i = 0; i < 32; i++)
                    {
                        codes[(g * 32) + i] = (ushort)(((sbyte*)data)[2 + i] + 128);
                    }
                }

                break;
            case DType.Q4_0:
                for (int g = 0; g < columns / 32; g++, data += 18)
                {
                    scales[g] = *(ushort*)data;
                    Nibbles(data + 2, codes + (g * 32));
                }

                break;
            case DType.Q4_1:
                for (int g = 0; g < columns / 32; g++, data += 20)
                {
                    scales[g] = *(ushort*)data;
                    // Stored as what is added; a minimum here is what is taken away.
                    minima[g] = (ushort)(*(ushort*)(data + 2) ^ 0x8000);
                    Nibbles(data + 4, codes + (g * 32));
                }

                break;
            case DType.Q5_0:
                for (int g = 0; g < columns / 32; g++, data += 22)
                {
                    scales[g] = *(ushort*)data;
                    // 16 is its zero; the format's is 128.
                    FiveBits(data + 2, data + 6, codes + (g * 32), zero: 128 - 16);
                }

                break;
            case DType.Q5_1:
                for (int g = 0; g < columns / 32; g++, data += 24)
                {
                    scales[g] = *(ushort*)data;
                    minima[g] = (ushort)(*(ushort*)(data + 2) ^ 0x8000);
                    FiveBits(data + 4, data + 8, codes + (g * 32), zero: 0);
                }

                break;
            case DType.Q4_K:
                for (int b = 0; b < columns / 256; b++, data += 144)
                {
                    K(data, null, data + 16, codes + (b * 256), scales + (b * 8), minima + (b * 8));
                }

                break;
            case DType.Q5_K:
                for (int b = 0; b < columns / 256; b++, data += 176)
                {
                    K(data, data + 16, data + 48, codes + (b * 256), scales + (b * 8), minima + (b * 8));
                }

                break;
            case DType.Q6_K:
                for (int b = 0; b < columns / 256; b++, data += 210)
                {
                    Q6K(data, codes + (b * 256), scales + (b * 16));
                }

                break;
            default:
                throw new NotSupportedException($"{dtype} has no packed format");
        }
    }

    private static void Nibbles(byte* quants, ushort* codes)
    {
        for (int i = 0; i < 16; i++)
        {
            codes[i] = (ushort)(quants[i] & 15);
            codes[i + 16] = (ushort)(quants[i] >> 4);
        }
    }

    private static void FiveBits(byte* fifth, byte* quants, ushort* codes, int zero)
    {
        Nibbles(quants, codes);
        uint bits = *(uint*)fifth;
        for (int i = 0; i < 32; i++)
        {
            codes[i] = (ushort)(codes[i] + (((bits >> i) & 1) << 4) + (uint)zero);
        }
    }

    private static void Q6K(byte* b, ushort* codes, ushort* scales)
    {
        float d = (float)*(Half*)(b + 208);
        for (int j = 0; j < 16; j++)
        {
            scales[j] = BitConverter.HalfToUInt16Bits((Half)(d * ((sbyte*)(b + 192))[j]));
        }

        for (int i = 0; i < 256; i++)
        {
            // Two halves of 128: low nibbles in 64 bytes, high bit pairs in 32.
            int half = i / 128;
            int r = i % 128;
            byte low = (b + (half * 64))[r % 64];
            int high = ((b + 128 + (half * 32))[r % 32] >> (r / 32 * 2)) & 3;
            codes[i] = (ushort)((r < 64 ? low & 15 : low >> 4) | (high << 4));
        }
    }

    /// <summary>Q4_K, and Q5_K with its fifth bits.</summary>
    private static void K(byte* b, byte* fifth, byte* quants, ushort* codes, ushort* scales, ushort* minima)
    {
        float d = (float)*(Half*)b;
        float dmin = (float)*(Half*)(b + 2);
        byte* s = b + 4;
        for (int j = 0; j < 8; j++)
        {
            int scale = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | (s[j - 4] >> 6 << 4);
            int min = j < 4 ? s[j + 4] & 63 : (s[j + 4] >> 4) | (s[j] >> 6 << 4);
            scales[j] = BitConverter.HalfToUInt16Bits((Half)(d * scale));
            minima[j] = BitConverter.HalfToUInt16Bits((Half)(dmin * min));
            byte* q = quants + (j / 2 * 32);
            for (int i = 0; i < 32; i++)
            {
                int high = fifth == null ? 0 : ((fifth[i] >> j) & 1) << 4;
                codes[(j * 32) + i] = (ushort)((j % 2 == 0 ? q[i] & 15 : q[i] >> 4) | high);
            }
        }
    }
}
