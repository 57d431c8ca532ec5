using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Hadal.Kernels.Vectors;

namespace Hadal.Kernels.Weights;

/// <summary>The GGUF block types in AVX-512 registers.</summary>
/// <remarks>
/// Up to 5 bits a code is an index into a table of the 16 or 32 values its block can take, made by one multiply-add (two) for 32 codes;
/// the permutation reads only as many bits of the index as it needs, so the code's upper neighbour need not be masked away.
/// A group is 64 columns: two blocks of 32, or a quarter of a super-block of 256. Layouts: see the reference.
/// </remarks>
internal static unsafe class BlockLoaders
{
    private const float TwoToMinus24 = 5.9604645e-8f;

    private static Vector512<float> Iota
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector512.Create(0f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    }

    // Rotating by these brings bit i of a word, and bit 16 + i, to bit 4 of lane i.
    private static Vector512<uint> FifthBitOfFirstHalf
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector512.Create(28u, 29, 30, 31, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
    }

    private static Vector512<uint> FifthBitOfSecondHalf
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector512.Create(12u, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27);
    }

    public readonly struct Q8_0 : IWeightLoader<Vector512<float>>
    {
        public static int StreamedBytesOf256 => 272;

        public static bool HasGroups => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static byte* Block(byte* row, nint column) => row + ((column >> 5) * 34);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Load(byte* row, nint column)
        {
            byte* block = Block(row, column);
            return Scaled(Sse2.LoadVector128((sbyte*)block + 2 + (column & 31)), Vector512.Create(WeightDecoder.ScaleAt(block)));
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void LoadGroup(
            byte* row, nint column, float* factors, out Vector512<float> a, out Vector512<float> b, out Vector512<float> c, out Vector512<float> d)
        {
            byte* block = Block(row, column);
            Vector512<float> first = Vector512.Create(WeightDecoder.ScaleAt(block));
            Vector512<float> second = Vector512.Create(WeightDecoder.ScaleAt(block + 34));
            a = Scaled(Sse2.LoadVector128((sbyte*)block + 2), first);
            b = Scaled(Sse2.LoadVector128((sbyte*)block + 18), first);
            c = Scaled(Sse2.LoadVector128((sbyte*)block + 36), second);
            d = Scaled(Sse2.LoadVector128((sbyte*)block + 52), second);
        }
    }

    public readonly struct Q4_0 : IWeightLoader<Vector512<float>>
    {
        public static int StreamedBytesOf256 => 144;

        public static bool HasGroups => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static byte* Block(byte* row, nint column) => row + ((column >> 5) * 18);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Load(byte* row, nint column)
        {
            LoadBlock(Block(row, column), out Vector512<float> a, out Vector512<float> b);
            return (column & 31) == 0 ? a : b;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void LoadGroup(
            byte* row, nint column, float* factors, out Vector512<float> a, out Vector512<float> b, out Vector512<float> c, out Vector512<float> d)
        {
            byte* block = Block(row, column);
            LoadBlock(block, out a, out b);
            LoadBlock(block + 18, out c, out d);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void LoadBlock(byte* block, out Vector512<float> a, out Vector512<float> b)
        {
            Vector512<float> values = Avx512F.Multiply(
                Avx512F.Subtract(Iota, Vector512.Create(8f)), Vector512.Create(WeightDecoder.ScaleAt(block)));
            LookUpNibbles(values, block + 2, out a, out b);
        }
    }

    public readonly struct Q4_1 : IWeightLoader<Vector512<float>>
    {
        public static int StreamedBytesOf256 => 160;

        public static bool HasGroups => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static byte* Block(byte* row, nint column) => row + ((column >> 5) * 20);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Load(byte* row, nint column)
        {
            LoadBlock(Block(row, column), out Vector512<float> a, out Vector512<float> b);
            return (column & 31) == 0 ? a : b;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void LoadGroup(
            byte* row, nint column, float* factors, out Vector512<float> a, out Vector512<float> b, out Vector512<float> c, out Vector512<float> d)
        {
            byte* block = Block(row, column);
            LoadBlock(block, out a, out b);
            LoadBlock(block + 20, out c, out d);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void LoadBlock(byte* block, out Vector512<float> a, out Vector512<float> b)
            => LookUpNibbles(Affine(Iota, WeightDecoder.ScaleAt(block), WeightDecoder.ScaleAt(block + 2)), block + 4, out a, out b);
    }

    public readonly struct Q5_0 : IWeightLoader<Vector512<float>>
    {
        public static int StreamedBytesOf256 => 176;

        public static bool HasGroups => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static byte* Block(byte* row, nint column) => row + ((column >> 5) * 22);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Load(byte* row, nint column)
        {
            LoadBlock(Block(row, column), out Vector512<float> a, out Vector512<float> b);
            return (column & 31) == 0 ? a : b;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void LoadGroup(
            byte* row, nint column, float* factors, out Vector512<float> a, out Vector512<float> b, out Vector512<float> c, out Vector512<float> d)
        {
            byte* block = Block(row, column);
            LoadBlock(block, out a, out b);
            LoadBlock(block + 22, out c, out d);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void LoadBlock(byte* block, out Vector512<float> a, out Vector512<float> b)
        {
            Vector512<float> scale = Vector512.Create(WeightDecoder.ScaleAt(block));
            LookUpFiveBits(
                Avx512F.Multiply(Avx512F.Subtract(Iota, Vector512.Create(16f)), scale), Avx512F.Multiply(Iota, scale), block + 6, *(uint*)(block + 2), out a, out b);
        }
    }

    public readonly struct Q5_1 : IWeightLoader<Vector512<float>>
    {
        public static int StreamedBytesOf256 => 192;

        public static bool HasGroups => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static byte* Block(byte* row, nint column) => row + ((column >> 5) * 24);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Load(byte* row, nint column)
        {
            LoadBlock(Block(row, column), out Vector512<float> a, out Vector512<float> b);
            return (column & 31) == 0 ? a : b;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void LoadGroup(
            byte* row, nint column, float* factors, out Vector512<float> a, out Vector512<float> b, out Vector512<float> c, out Vector512<float> d)
        {
            byte* block = Block(row, column);
            LoadBlock(block, out a, out b);
            LoadBlock(block + 24, out c, out d);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void LoadBlock(byte* block, out Vector512<float> a, out Vector512<float> b)
        {
            float scale = WeightDecoder.ScaleAt(block);
            float min = WeightDecoder.ScaleAt(block + 2);
            LookUpFiveBits(
                Affine(Iota, scale, min), Affine(Avx512F.Add(Iota, Vector512.Create(16f)), scale, min), block + 8, *(uint*)(block + 4), out a, out b);
        }
    }

    public readonly struct Q4_K : IWeightLoader<Vector512<float>>
    {
        public static int StreamedBytesOf256 => 144;

        public static bool HasGroups => true;

        public static int FactorColumns => 256;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static byte* Block(byte* row, nint column) => row + ((column >> 8) * 144);

        public static Vector512<float> Load(byte* row, nint column) => throw new UnreachableException("a super-block is a whole number of groups");

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void LoadFactors(byte* row, nint column, float* factors) => LoadScalesAndMins(Block(row, column), factors);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void LoadGroup(
            byte* row, nint column, float* factors, out Vector512<float> a, out Vector512<float> b, out Vector512<float> c, out Vector512<float> d)
        {
            nint group = (column & 255) >> 6;
            byte* codes = Block(row, column) + 16 + (group * 32);
            factors += 2 * group;
            Vector512<float> low = Affine(Iota, factors[0], factors[8]);
            Vector512<float> high = Affine(Iota, factors[1], factors[9]);
            Vector512<int> first = Avx512F.ConvertToVector512Int32(Sse2.LoadVector128(codes));
            Vector512<int> second = Avx512F.ConvertToVector512Int32(Sse2.LoadVector128(codes + 16));
            a = Avx512F.PermuteVar16x32(low, first);
            b = Avx512F.PermuteVar16x32(low, second);
            c = Avx512F.PermuteVar16x32(high, Avx512F.ShiftRightLogical(first, 4));
            d = Avx512F.PermuteVar16x32(high, Avx512F.ShiftRightLogical(second, 4));
        }
    }

    public readonly struct Q5_K : IWeightLoader<Vector512<float>>
    {
        public static int StreamedBytesOf256 => 176;

        public static bool HasGroups => true;

        public static int FactorColumns => 256;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static byte* Block(byte* row, nint column) => row + ((column >> 8) * 176);

        public static Vector512<float> Load(byte* row, nint column) => throw new UnreachableException("a super-block is a whole number of groups");

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void LoadFactors(byte* row, nint column, float* factors) => LoadScalesAndMins(Block(row, column), factors);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void LoadGroup(
            byte* row, nint column, float* factors, out Vector512<float> a, out Vector512<float> b, out Vector512<float> c, out Vector512<float> d)
        {
            nint group = (column & 255) >> 6;
            byte* block = Block(row, column);
            byte* codes = block + 48 + (group * 32);
            factors += 2 * group;
            Vector512<float> upper = Avx512F.Add(Iota, Vector512.Create(16f));
            Vector512<float> low = Affine(Iota, factors[0], factors[8]);
            Vector512<float> lowUpper = Affine(upper, factors[0], factors[8]);
            Vector512<float> high = Affine(Iota, factors[1], factors[9]);
            Vector512<float> highUpper = Affine(upper, factors[1], factors[9]);
            Vector512<uint> first = Avx512F.ConvertToVector512UInt32(Sse2.LoadVector128(codes));
            Vector512<uint> second = Avx512F.ConvertToVector512UInt32(Sse2.LoadVector128(codes + 16));

            // A byte of the fifth bits has one for each of the eight runs of 32 columns: this group's two come to bit 4.
            var shift = Vector512.Create((uint)(2 * group));
            Vector512<uint> firstBits = Avx512F.ShiftRightLogicalVariable(
                Avx512F.ShiftLeftLogical(Avx512F.ConvertToVector512UInt32(Sse2.LoadVector128(block + 16)), 4), shift);
            Vector512<uint> secondBits = Avx512F.ShiftRightLogicalVariable(
                Avx512F.ShiftLeftLogical(Avx512F.ConvertToVector512UInt32(Sse2.LoadVector128(block + 32)), 4), shift);
            a = LookUp(low, lowUpper, first, firstBits);
            b = LookUp(low, lowUpper, second, secondBits);
            c = LookUp(high, highUpper, Avx512F.ShiftRightLogical(first, 4), Avx512F.ShiftRightLogical(firstBits, 1));
            d = LookUp(high, highUpper, Avx512F.ShiftRightLogical(second, 4), Avx512F.ShiftRightLogical(secondBits, 1));
        }
    }

    public readonly struct Q6_K : IWeightLoader<Vector512<float>>
    {
        public static int StreamedBytesOf256 => 210;

        public static bool HasGroups => true;

        public static int FactorColumns => 256;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static byte* Block(byte* row, nint column) => row + ((column >> 8) * 210);

        public static Vector512<float> Load(byte* row, nint column) => throw new UnreachableException("a super-block is a whole number of groups");

        // d · scale is exact: 11 bits times 8. The codes come shifted up by 24, so the factor takes 2^-24 (exact too: far from float32's ends).
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void LoadFactors(byte* row, nint column, float* factors)
        {
            byte* block = Block(row, column);
            Avx512F.Store(factors, Scaled(Sse2.LoadVector128((sbyte*)block + 192), Vector512.Create(WeightDecoder.ScaleAt(block + 208) * TwoToMinus24)));
        }

        // The halves of a register take their upper two bits from the same 32 bytes, two bits apart. Rotating dwords is as good as
        // rotating bytes here: the bits wanted stay within their byte, what comes in beside them is masked away.
        // Then dword 4v + L goes to place 4L + v, so that vector v is in lane L of every dword quartet and a byte shuffle, which stays
        // within its lane, makes dwords of it with the code on top: half the shuffles that extraction and sign extension take.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void LoadGroup(
            byte* row, nint column, float* factors, out Vector512<float> a, out Vector512<float> b, out Vector512<float> c, out Vector512<float> d)
        {
            nint group = (column & 255) >> 6;
            nint half = group >> 1;
            byte* block = Block(row, column);
            var shift = Vector512.Create((uint)((group & 1) * 4));
            Vector512<uint> low = Avx512F.ShiftRightLogicalVariable(Avx512F.LoadVector512((uint*)(block + (half * 64))), shift);
            Vector512<uint> toBitFour = Vector512.Create(28u, 28, 28, 28, 28, 28, 28, 28, 30, 30, 30, 30, 30, 30, 30, 30);

            // Not BroadcastVector256ToVector512 from memory: .NET 10.0's JIT scales that instruction's displacement by 16 bytes where the processor takes 32.
            Vector256<uint> upperBits = Avx.LoadVector256((uint*)(block + 128 + (half * 32)));
            Vector512<uint> high = Avx512F.RotateRightVariable(
                Avx512F.InsertVector256(upperBits.ToVector512Unsafe(), upperBits, 1), Avx512F.Add(toBitFour, shift));
            Vector512<uint> codes = Avx512F.Or(
                Avx512F.And(low, Vector512.Create(0x0F0F0F0Fu)), Avx512F.And(high, Vector512.Create(0x30303030u)));
            Vector512<byte> signed = Avx512BW.Subtract(codes.AsByte(), Vector512.Create((byte)32));
            signed = Avx512F.PermuteVar16x32(signed.AsUInt32(), Vector512.Create(0u, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)).AsByte();
            factors += 4 * group;

            // 0x80 makes a zero byte.
            Vector512<uint> first = Vector512.Create(
                0x00808080u, 0x01808080, 0x02808080, 0x03808080, 0x00808080, 0x01808080, 0x02808080, 0x03808080,
                0x00808080, 0x01808080, 0x02808080, 0x03808080, 0x00808080, 0x01808080, 0x02808080, 0x03808080);
            Vector512<uint> second = Vector512.Create(
                0x04808080u, 0x05808080, 0x06808080, 0x07808080, 0x04808080, 0x05808080, 0x06808080, 0x07808080,
                0x04808080, 0x05808080, 0x06808080, 0x07808080, 0x04808080, 0x05808080, 0x06808080, 0x07808080);
            Vector512<uint> third = Vector512.Create(
                0x08808080u, 0x09808080, 0x0A808080, 0x0B808080, 0x08808080, 0x09808080, 0x0A808080, 0x0B808080,
                0x08808080, 0x09808080, 0x0A808080, 0x0B808080, 0x08808080, 0x09808080, 0x0A808080, 0x0B808080);
            Vector512<uint> fourth = Vector512.Create(
                0x0C808080u, 0x0D808080, 0x0E808080, 0x0F808080, 0x0C808080, 0x0D808080, 0x0E808080, 0x0F808080,
                0x0C808080, 0x0D808080, 0x0E808080, 0x0F808080, 0x0C808080, 0x0D808080, 0x0E808080, 0x0F808080);
            a = OnTop(signed, first, factors);
            b = OnTop(signed, second, factors + 1);
            c = OnTop(signed, third, factors + 2);
            d = OnTop(signed, fourth, factors + 3);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector512<float> OnTop(Vector512<byte> codes, Vector512<uint> places, float* factor)
            => Avx512F.Multiply(
                Avx512F.ConvertToVector512Single(Avx512BW.Shuffle(codes, places.AsByte()).AsInt32()), Vector512.Create(*factor));
    }

    // code · scale is exact for every block type.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Scaled(Vector128<sbyte> codes, Vector512<float> scale)
        => Avx512F.Multiply(Avx512F.ConvertToVector512Single(Avx512F.ConvertToVector512Int32(codes)), scale);

    // code · scale + min, where code · scale is exact: the one rounding is the addition's, as in the reference.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Affine(Vector512<float> codes, float scale, float min)
        => Avx512F.FusedMultiplyAdd(codes, Vector512.Create(scale), Vector512.Create(min));

    // factors[0..8) = d · scale_j, factors[8..16) = -dmin · min_j; both exact (11 bits times 6). Four dwords: d and dmin, the low six bits of
    // four scales, of four minima, the low four of four more each; the upper two bits of those stand above the six.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LoadScalesAndMins(byte* block, float* factors)
    {
        Vector128<uint> packed = Sse2.LoadVector128((uint*)block);
        Vector128<uint> lower = Avx2.ShiftRightLogicalVariable(Sse2.Shuffle(packed, 0b11_10_11_01), Vector128.Create(0u, 0, 0, 4));
        Vector128<uint> upper = Sse2.ShiftRightLogical(Sse2.Shuffle(packed, 0b10_00_01_00), 2);
        Vector128<byte> six = Sse2.Or(
            Sse2.And(lower, Vector128.Create(0x3F3F3F3Fu, 0x0F0F0F0F, 0x3F3F3F3F, 0x0F0F0F0F)),
            Sse2.And(upper, Vector128.Create(0u, 0x30303030, 0, 0x30303030))).AsByte();
        Vector512<uint> halves = Avx512F.And(
            Avx512F.ShiftRightLogicalVariable(
                Vector512.Create(*(uint*)block), Vector512.Create(0u, 0, 0, 0, 0, 0, 0, 0, 16, 16, 16, 16, 16, 16, 16, 16)),
            Vector512.Create(0xFFFFu));
        Vector512<float> units = Avx512DQ.Xor(
            Lanes512.HalfToSingle(halves), Vector512.Create(0f, 0, 0, 0, 0, 0, 0, 0, -0f, -0f, -0f, -0f, -0f, -0f, -0f, -0f));
        Avx512F.Store(factors, Avx512F.Multiply(Avx512F.ConvertToVector512Single(Avx512F.ConvertToVector512Int32(six)), units));
    }

    // 16 bytes: columns 0…15 in the low nibbles, 16…31 in the high ones.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LookUpNibbles(Vector512<float> values, byte* codes, out Vector512<float> a, out Vector512<float> b)
    {
        Vector512<int> indices = Avx512F.ConvertToVector512Int32(Sse2.LoadVector128(codes));
        a = Avx512F.PermuteVar16x32(values, indices);
        b = Avx512F.PermuteVar16x32(values, Avx512F.ShiftRightLogical(indices, 4));
    }

    // The same with a word of fifth bits, column i's in bit i.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LookUpFiveBits(
        Vector512<float> values, Vector512<float> upperValues, byte* codes, uint fifthBits, out Vector512<float> a, out Vector512<float> b)
    {
        Vector512<uint> indices = Avx512F.ConvertToVector512UInt32(Sse2.LoadVector128(codes));
        Vector512<uint> bits = Vector512.Create(fifthBits);
        a = LookUp(values, upperValues, indices, Avx512F.RotateRightVariable(bits, FifthBitOfFirstHalf));
        b = LookUp(values, upperValues, Avx512F.ShiftRightLogical(indices, 4), Avx512F.RotateRightVariable(bits, FifthBitOfSecondHalf));
    }

    // Four bits from one side, the fifth from the other, rubbish above: a bitwise select is one instruction.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> LookUp(Vector512<float> values, Vector512<float> upperValues, Vector512<uint> nibbles, Vector512<uint> fifthBits)
        => Avx512F.PermuteVar16x32x2(
            values, Avx512F.TernaryLogic(Vector512.Create(15u), nibbles, fifthBits, 0xCA).AsInt32(), upperValues);
}
