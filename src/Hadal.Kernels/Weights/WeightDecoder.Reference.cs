using Hadal.Numerics;

namespace Hadal.Kernels.Weights;

public static unsafe partial class WeightDecoder
{
    /// <summary>The meaning of every stored type, in plain loops. Block layouts: ggml-common.h of llama.cpp.</summary>
    public static void DecodeRowReference(in WeightMatrix w, int row, int firstColumn, int count, float* destination)
    {
        byte* data = w.Row(row);
        for (int i = 0; i < count; i++)
        {
            int k = firstColumn + i;
            float value = w.DType switch
            {
                DType.F32 => ((float*)data)[k],
                DType.F16 => (float)((Half*)data)[k],
                DType.Bf16 => Bf16.ToSingle(((ushort*)data)[k]),
                DType.F8E4M3 => Fp8.E4M3ToSingle(data[k]),
                DType.F8E5M2 => Fp8.E5M2ToSingle(data[k]),
                DType.I8 => ((sbyte*)data)[k],
                DType.Q8_0 => Q8_0(data + (k / 32 * 34), k % 32),
                DType.Q4_0 => Q4_0(data + (k / 32 * 18), k % 32),
                DType.Q4_1 => Q4_1(data + (k / 32 * 20), k % 32),
                DType.Q5_0 => Q5_0(data + (k / 32 * 22), k % 32),
                DType.Q5_1 => Q5_1(data + (k / 32 * 24), k % 32),
                DType.Q4_K => Q4_K(data + (k / 256 * 144), k % 256),
                DType.Q5_K => Q5_K(data + (k / 256 * 176), k % 256),
                DType.Q6_K => Q6_K(data + (k / 256 * 210), k % 256),
                _ => throw new NotSupportedException($"weights of type {w.DType} cannot be computed with"),
            };
            destination[i] = value * Scale(w, row, k);
        }
    }

    private static float Scale(in WeightMatrix w, int row, int k) => w.ScaleLayout switch
    {
        ScaleLayout.PerRow => w.Scales[row],
        ScaleLayout.Block => w.Scales[((nint)(row / w.ScaleBlockRows) * w.ScaleStride) + (k / w.ScaleBlockColumns)],
        _ => 1f,
    };

    private static float HalfAt(byte* p) => (float)*(Half*)p;

    private static int Nibble(byte* quants, int i) => i < 16 ? quants[i] & 15 : quants[i - 16] >> 4;

    private static int FifthBit(byte* bits, int i) => ((int)(*(uint*)bits >> i) & 1) << 4;

    private static float Q8_0(byte* b, int i) => HalfAt(b) * ((sbyte*)b)[2 + i];

    private static float Q4_0(byte* b, int i) => HalfAt(b) * (Nibble(b + 2, i) - 8);

    private static float Q4_1(byte* b, int i) => (HalfAt(b) * Nibble(b + 4, i)) + HalfAt(b + 2);

    private static float Q5_0(byte* b, int i) => HalfAt(b) * ((Nibble(b + 6, i) | FifthBit(b + 2, i)) - 16);

    private static float Q5_1(byte* b, int i) => (HalfAt(b) * (Nibble(b + 8, i) | FifthBit(b + 4, i))) + HalfAt(b + 2);

    // Twelve bytes hold eight 6-bit scales and eight 6-bit minima.
    private static (int Scale, int Min) ScaleAndMin(byte* s, int j) => j < 4
        ? (s[j] & 63, s[j + 4] & 63)
        : ((s[j + 4] & 15) | (s[j - 4] >> 6 << 4), (s[j + 4] >> 4) | (s[j] >> 6 << 4));

    private static float Q4_K(byte* b, int i)
    {
        (int scale, int min) = ScaleAndMin(b + 4, i / 32);
        byte q = (b + 16)[(i / 64 * 32) + (i % 32)];
        int nibble = i % 64 < 32 ? q & 15 : q >> 4;
        return (HalfAt(b) * scale * nibble) - (HalfAt(b + 2) * min);
    }

    private static float Q5_K(byte* b, int i)
    {
        (int scale, int min) = ScaleAndMin(b + 4, i / 32);
        byte q = (b + 48)[(i / 64 * 32) + (i % 32)];
        int nibble = i % 64 < 32 ? q & 15 : q >> 4;
        int high = (((b + 16)[i % 32] >> (i / 32)) & 1) << 4;
        return (HalfAt(b) * scale * (nibble | high)) - (HalfAt(b + 2) * min);
    }

    private static float Q6_K(byte* b, int i)
    {
        // Two halves of 128: 64 bytes of low nibbles, 32 bytes of high bit pairs, 8 scales each.
        int half = i / 128;
        int r = i % 128;
        byte low = (b + (half * 64))[r % 64];
        int nibble = r < 64 ? low & 15 : low >> 4;
        int high = ((b + 128 + (half * 32))[r % 32] >> (r / 32 * 2)) & 3;
        sbyte scale = ((sbyte*)(b + 192))[i / 16];
        return HalfAt(b + 208) * scale * ((nibble | (high << 4)) - 32);
    }
}
