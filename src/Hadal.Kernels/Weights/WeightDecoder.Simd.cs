using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Hadal.Kernels.Vectors;
using Hadal.Numerics;

namespace Hadal.Kernels.Weights;

public static unsafe partial class WeightDecoder
{
    internal static void DecodeRowSimd<TLanes, TV>(in WeightMatrix w, int row, int firstColumn, int count, float* destination)
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        switch (w.DType)
        {
            case DType.F32:
                DecodePlain<TLanes, TV, WeightLoaders.F32<TLanes, TV>>(w, row, firstColumn, count, destination);
                break;
            case DType.F16:
                DecodePlain<TLanes, TV, WeightLoaders.F16<TLanes, TV>>(w, row, firstColumn, count, destination);
                break;
            case DType.Bf16:
                DecodePlain<TLanes, TV, WeightLoaders.Bf16<TLanes, TV>>(w, row, firstColumn, count, destination);
                break;
            case DType.F8E4M3:
                DecodePlain<TLanes, TV, WeightLoaders.F8E4M3<TLanes, TV>>(w, row, firstColumn, count, destination);
                break;
            case DType.F8E5M2:
                DecodePlain<TLanes, TV, WeightLoaders.F8E5M2<TLanes, TV>>(w, row, firstColumn, count, destination);
                break;
            case DType.I8:
                DecodePlain<TLanes, TV, WeightLoaders.I8<TLanes, TV>>(w, row, firstColumn, count, destination);
                break;
            default:
                // Blocks are unpacked in byte lanes, which without AVX2 would be emulated one byte at a time; scales beside block types are unheard of.
                int block = w.DType.BlockElements;
                if (!Lanes256.IsSupported || w.ScaleLayout != ScaleLayout.None || !w.DType.IsBlock || firstColumn % block != 0 || count % block != 0)
                {
                    DecodeRowReference(w, row, firstColumn, count, destination);
                    break;
                }

                DecodeBlocks(w.DType, w.Row(row) + ((nint)(firstColumn / block) * w.DType.BlockBytes), count / block, destination);
                break;
        }
    }

    private static void DecodePlain<TLanes, TV, TLoader>(in WeightMatrix w, int row, int firstColumn, int count, float* destination)
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
        where TLoader : struct, IWeightLoader<TV>
    {
        byte* data = w.Row(row);
        int end = firstColumn + count;
        float* column0 = destination - firstColumn;
        for (int k = firstColumn; k < end;)
        {
            int segmentEnd = w.ScaleLayout == ScaleLayout.Block
                ? (int)Math.Min(end, ((long)(k / w.ScaleBlockColumns) + 1) * w.ScaleBlockColumns)
                : end;
            TV scale = TLanes.Broadcast(Scale(w, row, k));
            if (TLoader.HasGroups)
            {
                for (; k <= segmentEnd - (4 * TLanes.Count); k += 4 * TLanes.Count)
                {
                    TLoader.LoadGroup(data, k, null, out TV a, out TV b, out TV c, out TV d);
                    TLanes.Store(column0 + k, TLanes.Multiply(a, scale));
                    TLanes.Store(column0 + k + TLanes.Count, TLanes.Multiply(b, scale));
                    TLanes.Store(column0 + k + (2 * TLanes.Count), TLanes.Multiply(c, scale));
                    TLanes.Store(column0 + k + (3 * TLanes.Count), TLanes.Multiply(d, scale));
                }
            }

            for (; k <= segmentEnd - TLanes.Count; k += TLanes.Count)
            {
                TLanes.Store(column0 + k, TLanes.Multiply(TLoader.Load(data, k), scale));
            }

            if (k < segmentEnd)
            {
                DecodeRowReference(w, row, k, segmentEnd - k, column0 + k);
                k = segmentEnd;
            }
        }
    }

    private static void DecodeBlocks(DType dtype, byte* b, int numBlocks, float* y)
    {
        switch (dtype)
        {
            case DType.Q8_0:
                for (; numBlocks > 0; numBlocks--, b += 34, y += 32)
                {
                    StoreScaled(Vector256.Load((sbyte*)(b + 2)), ScaleAt(b), y);
                }

                break;
            case DType.Q4_0:
                for (; numBlocks > 0; numBlocks--, b += 18, y += 32)
                {
                    StoreScaled(Nibbles32(b + 2).AsSByte() - Vector256.Create((sbyte)8), ScaleAt(b), y);
                }

                break;
            case DType.Q4_1:
                for (; numBlocks > 0; numBlocks--, b += 20, y += 32)
                {
                    StoreAffine(Nibbles32(b + 4), ScaleAt(b), ScaleAt(b + 2), y);
                }

                break;
            case DType.Q5_0:
                for (; numBlocks > 0; numBlocks--, b += 22, y += 32)
                {
                    StoreScaled((Nibbles32(b + 6) | FifthBits(b + 2)).AsSByte() - Vector256.Create((sbyte)16), ScaleAt(b), y);
                }

                break;
            case DType.Q5_1:
                for (; numBlocks > 0; numBlocks--, b += 24, y += 32)
                {
                    StoreAffine(Nibbles32(b + 8) | FifthBits(b + 4), ScaleAt(b), ScaleAt(b + 2), y);
                }

                break;
            case DType.Q4_K:
                for (; numBlocks > 0; numBlocks--, b += 144, y += 256)
                {
                    DecodeQ4K(b, y);
                }

                break;
            case DType.Q5_K:
                for (; numBlocks > 0; numBlocks--, b += 176, y += 256)
                {
                    DecodeQ5K(b, y);
                }

                break;
            default:
                for (; numBlocks > 0; numBlocks--, b += 210, y += 256)
                {
                    DecodeQ6K(b, y);
                }

                break;
        }
    }

    [SkipLocalsInit]
    private static void DecodeQ4K(byte* b, float* y)
    {
        float* scales = stackalloc float[16];
        ScalesAndMins(b, scales);
        Vector256<byte> low = Vector256.Create((byte)15);
        for (int j = 0; j < 4; j++, y += 64)
        {
            Vector256<byte> q = Vector256.Load(b + 16 + (j * 32));
            StoreAffine(q & low, scales[2 * j], scales[8 + (2 * j)], y);
            StoreAffine((q >> 4) & low, scales[(2 * j) + 1], scales[9 + (2 * j)], y + 32);
        }
    }

    [SkipLocalsInit]
    private static void DecodeQ5K(byte* b, float* y)
    {
        float* scales = stackalloc float[16];
        ScalesAndMins(b, scales);
        Vector256<byte> low = Vector256.Create((byte)15);
        Vector256<byte> fifth = Vector256.Create((byte)16);
        Vector256<byte> high = Vector256.Load(b + 16);
        for (int j = 0; j < 4; j++, y += 64, high >>= 2)
        {
            Vector256<byte> q = Vector256.Load(b + 48 + (j * 32));
            StoreAffine((q & low) | ((high << 4) & fifth), scales[2 * j], scales[8 + (2 * j)], y);
            StoreAffine(((q >> 4) & low) | ((high << 3) & fifth), scales[(2 * j) + 1], scales[9 + (2 * j)], y + 32);
        }
    }

    private static void DecodeQ6K(byte* b, float* y)
    {
        float d = ScaleAt(b + 208);
        sbyte* scales = (sbyte*)(b + 192);
        Vector256<byte> low = Vector256.Create((byte)15);
        Vector256<byte> pair = Vector256.Create((byte)0x30);
        Vector256<sbyte> offset = Vector256.Create((sbyte)32);
        for (int half = 0; half < 2; half++, b += 64, scales += 8, y += 128)
        {
            Vector256<byte> q0 = Vector256.Load(b);
            Vector256<byte> q1 = Vector256.Load(b + 32);
            Vector256<byte> high = Vector256.Load(b + 128 - (half * 32));
            StoreScaled(((q0 & low) | ((high << 4) & pair)).AsSByte() - offset, d * scales[0], d * scales[1], y);
            StoreScaled(((q1 & low) | ((high << 2) & pair)).AsSByte() - offset, d * scales[2], d * scales[3], y + 32);
            StoreScaled((((q0 >> 4) & low) | (high & pair)).AsSByte() - offset, d * scales[4], d * scales[5], y + 64);
            StoreScaled((((q1 >> 4) & low) | ((high >> 2) & pair)).AsSByte() - offset, d * scales[6], d * scales[7], y + 96);
        }
    }

    // scales[0..8) = d · scale_j, scales[8..16) = -dmin · min_j; both exact (11 bits times 6). The same bytes as ScaleAndMin, four at a time.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ScalesAndMins(byte* b, float* scales)
    {
        uint s = *(uint*)(b + 4);
        uint m = *(uint*)(b + 8);
        uint both = *(uint*)(b + 12);
        Vector128<byte> packed = Vector128.Create(
            s & 0x3F3F3F3F,
            (both & 0x0F0F0F0F) | ((s >> 2) & 0x30303030),
            m & 0x3F3F3F3F,
            ((both >> 4) & 0x0F0F0F0F) | ((m >> 2) & 0x30303030)).AsByte();
        (Vector128<ushort> scale, Vector128<ushort> min) = Vector128.Widen(packed);
        (Vector256.ConvertToSingle(Vector256.WidenLower(scale.ToVector256()).AsInt32()) * Vector256.Create(ScaleAt(b))).Store(scales);
        (Vector256.ConvertToSingle(Vector256.WidenLower(min.ToVector256()).AsInt32()) * Vector256.Create(-ScaleAt(b + 2))).Store(scales + 8);
    }

    // (float)Half is a call, and a call in a kernel's loop costs all its vector registers. Rebias the exponent by 112; infinities and NaN by another
    // 112; a subnormal is built as 2^-14 · (1 + m) - 2^-14.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static float ScaleAt(byte* p)
    {
        uint half = *(ushort*)p;
        uint magnitude = (half & 0x7FFF) << 13;
        uint bits = magnitude + (112u << 23);
        if (magnitude - 0x00800000 >= 0x0F000000)
        {
            bits = magnitude < 0x00800000
                ? BitConverter.SingleToUInt32Bits(BitConverter.UInt32BitsToSingle(magnitude + (113u << 23)) - 6.103515625e-05f)
                : bits + (112u << 23);
        }

        return BitConverter.UInt32BitsToSingle(bits | ((half & 0x8000) << 16));
    }

    // 16 bytes: elements 0…15 in the low nibbles, 16…31 in the high ones.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Nibbles32(byte* quants)
    {
        Vector128<byte> q = Vector128.Load(quants);
        return Vector256.Create(q & Vector128.Create((byte)15), (q >> 4) & Vector128.Create((byte)15));
    }

    // Bit i of the 32 becomes 16 in byte i: each byte of the word is spread over its eight lanes and tested against that lane's bit.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> FifthBits(byte* bits)
    {
        Vector256<byte> spread = Vector256.Shuffle(
            Vector256.Create(*(uint*)bits).AsByte(),
            Vector256.Create((byte)0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 18, 18, 18, 18, 18, 18, 18, 18, 19, 19, 19, 19, 19, 19, 19, 19));
        Vector256<byte> lane = Vector256.Create(0x8040201008040201UL).AsByte();
        return Vector256.Equals(spread & lane, lane) & Vector256.Create((byte)16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreScaled(Vector256<sbyte> q, float scale, float* y) => StoreScaled(q, scale, scale, y);

    // q · scale is exact for every block type (at most 24 significant bits), so a fused or a separate multiply are the same.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreScaled(Vector256<sbyte> q, float scale0, float scale1, float* y)
    {
        if (Lanes512.IsSupported)
        {
            (Vector512.ConvertToSingle(Avx512F.ConvertToVector512Int32(q.GetLower())) * Vector512.Create(scale0)).Store(y);
            (Vector512.ConvertToSingle(Avx512F.ConvertToVector512Int32(q.GetUpper())) * Vector512.Create(scale1)).Store(y + 16);
            return;
        }

        (Vector256<short> q0, Vector256<short> q1) = Vector256.Widen(q);
        (Vector256<int> a, Vector256<int> b) = Vector256.Widen(q0);
        (Vector256<int> c, Vector256<int> d) = Vector256.Widen(q1);
        (Vector256.ConvertToSingle(a) * Vector256.Create(scale0)).Store(y);
        (Vector256.ConvertToSingle(b) * Vector256.Create(scale0)).Store(y + 8);
        (Vector256.ConvertToSingle(c) * Vector256.Create(scale1)).Store(y + 16);
        (Vector256.ConvertToSingle(d) * Vector256.Create(scale1)).Store(y + 24);
    }

    // q · scale + min, where q · scale is exact: the one rounding is the addition's, as in the reference.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreAffine(Vector256<byte> q, float scale, float min, float* y)
    {
        if (Lanes512.IsSupported)
        {
            Vector512<float> scale512 = Vector512.Create(scale);
            Vector512<float> min512 = Vector512.Create(min);
            Lanes512.MultiplyAdd(Vector512.ConvertToSingle(Avx512F.ConvertToVector512Int32(q.GetLower())), scale512, min512).Store(y);
            Lanes512.MultiplyAdd(Vector512.ConvertToSingle(Avx512F.ConvertToVector512Int32(q.GetUpper())), scale512, min512).Store(y + 16);
            return;
        }

        (Vector256<ushort> q0, Vector256<ushort> q1) = Vector256.Widen(q);
        Vector256<float> scale256 = Vector256.Create(scale);
        Vector256<float> min256 = Vector256.Create(min);
        (Vector256<uint> a, Vector256<uint> b) = Vector256.Widen(q0);
        (Vector256<uint> c, Vector256<uint> d) = Vector256.Widen(q1);
        Lanes256.MultiplyAdd(Vector256.ConvertToSingle(a.AsInt32()), scale256, min256).Store(y);
        Lanes256.MultiplyAdd(Vector256.ConvertToSingle(b.AsInt32()), scale256, min256).Store(y + 8);
        Lanes256.MultiplyAdd(Vector256.ConvertToSingle(c.AsInt32()), scale256, min256).Store(y + 16);
        Lanes256.MultiplyAdd(Vector256.ConvertToSingle(d.AsInt32()), scale256, min256).Store(y + 24);
    }
}
