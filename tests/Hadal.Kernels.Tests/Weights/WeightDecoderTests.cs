using System.Runtime.Intrinsics;
using Hadal.Kernels.Vectors;
using Hadal.Kernels.Weights;
using Hadal.Numerics;
using Hadal.TestKit;

namespace Hadal.Kernels.Tests.Weights;

public sealed unsafe class WeightDecoderTests
{
    private static readonly int _seed = Environment.TickCount;

    public static TheoryData<DType> PlainTypes => [DType.F32, DType.F16, DType.Bf16, DType.F8E4M3, DType.F8E5M2, DType.I8];

    public static TheoryData<DType> BlockTypes => [DType.Q8_0, DType.Q4_0, DType.Q4_1, DType.Q5_0, DType.Q5_1, DType.Q4_K, DType.Q5_K, DType.Q6_K];

    [Theory]
    [MemberData(nameof(PlainTypes))]
    public void DecodeRow_PlainTypeAnyBitsRaggedColumns_IsBitEqualToReference(DType dtype)
    {
        var random = new Random(_seed);
        foreach (int columns in (int[])[1, 7, 8, 15, 16, 17, 63, 65, 128, 136, 160, 257, 1000])
        {
            foreach (ScaleLayout layout in Enum.GetValues<ScaleLayout>())
            {
                using var w = new TestWeight(random, dtype, rows: 5, columns, layout, wild: true, padBytes: 8, blockRows: 2, blockColumns: columns % 2 == 0 ? 128 : 24);
                AssertRows(w.Matrix, 0, columns);
                AssertRows(w.Matrix, columns / 3, columns - (columns / 3));
                AssertRows(w.Matrix, columns / 2, columns / 4);
            }
        }
    }

    [Theory]
    [MemberData(nameof(BlockTypes))]
    public void DecodeRow_BlockTypeAnyBits_IsBitEqualToReference(DType dtype)
    {
        var random = new Random(_seed);
        int block = dtype.BlockElements;
        foreach (int blocks in (int[])[1, 2, 3, 7])
        {
            using var w = new TestWeight(random, dtype, rows: 40, blocks * block, wild: true);
            AssertRows(w.Matrix, 0, blocks * block);
            AssertRows(w.Matrix, (blocks - 1) * block, block);
            AssertRows(w.Matrix, block / 2, block / 2);
        }
    }

    [Theory]
    [MemberData(nameof(BlockTypes))]
    public void BlockLoader_AnyBits_IsBitEqualToReference(DType dtype)
    {
        Assert.SkipUnless(Lanes512.IsSupported, "needs AVX-512");
        switch (dtype)
        {
            case DType.Q8_0: AssertLoader<BlockLoaders.Q8_0>(dtype); break;
            case DType.Q4_0: AssertLoader<BlockLoaders.Q4_0>(dtype); break;
            case DType.Q4_1: AssertLoader<BlockLoaders.Q4_1>(dtype); break;
            case DType.Q5_0: AssertLoader<BlockLoaders.Q5_0>(dtype); break;
            case DType.Q5_1: AssertLoader<BlockLoaders.Q5_1>(dtype); break;
            case DType.Q4_K: AssertLoader<BlockLoaders.Q4_K>(dtype); break;
            case DType.Q5_K: AssertLoader<BlockLoaders.Q5_K>(dtype); break;
            default: AssertLoader<BlockLoaders.Q6_K>(dtype); break;
        }
    }

    [Fact]
    public void DecodeRow_BlockTypeWithScalesBeside_IsBitEqualToReference()
    {
        var random = new Random(_seed);
        using var w = new TestWeight(random, DType.Q4_0, rows: 5, columns: 96, ScaleLayout.PerRow);
        AssertRows(w.Matrix, 0, 96);
    }

    [Fact]
    public void DecodeRow_EveryCodeOfSmallFloats_IsBitEqualToReference()
    {
        byte[] codes = new byte[256];
        ushort[] halves = new ushort[65536];
        for (int i = 0; i < halves.Length; i++)
        {
            halves[i] = (ushort)i;
            codes[i & 255] = (byte)i;
        }

        using GuardedBuffer bytes = GuardedBuffer.Copy<byte>(codes);
        using GuardedBuffer words = GuardedBuffer.Copy<ushort>(halves);
        foreach (DType dtype in (DType[])[DType.F8E4M3, DType.F8E5M2, DType.I8])
        {
            AssertRows(new WeightMatrix { Data = bytes.Pointer, DType = dtype, Rows = 1, Columns = 256, RowBytes = 256 }, 0, 256);
        }

        foreach (DType dtype in (DType[])[DType.F16, DType.Bf16])
        {
            AssertRows(new WeightMatrix { Data = words.Pointer, DType = dtype, Rows = 1, Columns = 65536, RowBytes = 131072 }, 0, 65536);
        }
    }

    [Fact]
    public void DecodeRowSimd_PortableWidth_IsBitEqualToReference()
    {
        var random = new Random(_seed);
        foreach (DType dtype in PlainTypes.Select(row => row.Data))
        {
            using var w = new TestWeight(random, dtype, rows: 3, columns: 77, ScaleLayout.PerRow, wild: true);
            using var actual = GuardedBuffer.Of<float>(77);
            float[] expected = w.Decode();
            for (int n = 0; n < 3; n++)
            {
                WeightDecoder.DecodeRowSimd<Lanes128, Vector128<float>>(w.Matrix, n, 0, 77, actual.As<float>());
                TensorAssert.BitEqual(actual.Span<float>(), expected.AsSpan(n * 77, 77), $"{dtype} row {n}, seed {_seed}");
            }
        }
    }

    [Fact]
    public void Validate_WrongLayout_SaysWhat()
    {
        using var data = new GuardedBuffer(64);
        WeightMatrix Make(DType dtype, int columns, nint rowBytes, ScaleLayout layout = ScaleLayout.None)
            => new() { Data = data.Pointer, DType = dtype, Rows = 1, Columns = columns, RowBytes = rowBytes, ScaleLayout = layout };
        HadalException e = Assert.Throws<HadalException>(() => WeightDecoder.Validate(Make(DType.I64, 1, 8), "w"));
        Assert.Contains("I64", e.Message);
        Assert.Throws<ArgumentException>(() => WeightDecoder.Validate(Make(DType.Q8_0, 33, 68), "w"));
        Assert.Throws<ArgumentOutOfRangeException>(() => WeightDecoder.Validate(Make(DType.F16, 4, 7), "w"));
        Assert.Throws<ArgumentNullException>(() => WeightDecoder.Validate(Make(DType.I8, 1, 1, ScaleLayout.PerRow), "w"));
    }

    private static void AssertLoader<TLoader>(DType dtype)
        where TLoader : struct, IWeightLoader<Vector512<float>>
    {
        // Every bit pattern a scale can have comes up, the rare ones a few times: 1 in 32 is subnormal, 1 in 32 infinite or NaN.
        var random = new Random(_seed);
        int columns = dtype.BlockElements == 256 ? 512 : 96;
        using var w = new TestWeight(random, dtype, rows: 400, columns, wild: true);
        using var actual = GuardedBuffer.Of<float>(columns);
        float[] expected = w.Decode();
        float* factors = stackalloc float[16];
        float* y = actual.As<float>();
        for (int n = 0; n < w.Matrix.Rows; n++)
        {
            byte* row = w.Matrix.Row(n);
            int k = 0;
            for (; k + 64 <= columns; k += 64)
            {
                if (TLoader.FactorColumns != 0 && k % TLoader.FactorColumns == 0)
                {
                    TLoader.LoadFactors(row, k, factors);
                }

                TLoader.LoadGroup(row, k, factors, out Vector512<float> a, out Vector512<float> b, out Vector512<float> c, out Vector512<float> d);
                a.Store(y + k);
                b.Store(y + k + 16);
                c.Store(y + k + 32);
                d.Store(y + k + 48);
            }

            for (; k < columns; k += 16)
            {
                TLoader.Load(row, k).Store(y + k);
            }

            TensorAssert.BitEqual(actual.Span<float>(), expected.AsSpan(n * columns, columns), $"{dtype} row {n}, seed {_seed}");
        }
    }

    private static void AssertRows(in WeightMatrix w, int first, int count)
    {
        using var actual = GuardedBuffer.Of<float>(count);
        float[] expected = new float[count];
        for (int n = 0; n < w.Rows; n++)
        {
            actual.Span<float>().Fill(float.NaN);
            WeightDecoder.DecodeRow(w, n, first, count, actual.As<float>());
            fixed (float* e = expected)
            {
                WeightDecoder.DecodeRowReference(w, n, first, count, e);
            }

            TensorAssert.BitEqual(actual.Span<float>(), expected, $"{w.DType} row {n}, columns {first}+{count} of {w.Columns}, {w.ScaleLayout}, seed {_seed}");
            actual.CheckSentinels();
        }
    }
}
