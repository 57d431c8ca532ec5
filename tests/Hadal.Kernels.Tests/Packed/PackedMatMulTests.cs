using Hadal.Jit;
using Hadal.Kernels.MatMul;
using Hadal.Kernels.Packed;
using Hadal.Kernels.Tests.Weights;
using Hadal.Kernels.Weights;
using Hadal.Numerics;

namespace Hadal.Kernels.Tests.Packed;

/// <summary>Emitted kernels against plain sums over the same rounded activations: what is left is the order of f32 additions.</summary>
public sealed unsafe class PackedMatMulTests
{
    public static TheoryData<DType, int, int, int> Cases()
    {
        var data = new TheoryData<DType, int, int, int>();
        foreach (DType dtype in new[] { DType.Bf16, DType.F8E4M3, DType.I8, DType.F32, DType.Q8_0, DType.Q4_0, DType.Q4_1, DType.Q5_0, DType.Q5_1, DType.Q4_K, DType.Q5_K, DType.Q6_K })
        {
            int unit = Math.Max(dtype.BlockElements, 1);
            foreach ((int n, int k) in new[] { (1, 1), (15, 24), (16, 80), (17, 255), (64, 256), (65, 257), (130, 576), (200, 1408) })
            {
                int columns = (k + unit - 1) / unit * unit;
                foreach (int t in new[] { 1, 2, 3, 4, 6, 7, 13, 37 })
                {
                    data.Add(dtype, n, columns, t);
                }
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Forward_AnyShape_EqualsPlainSumsOfRoundedActivations(DType dtype, int n, int k, int tokens)
    {
        using var kernels = new PackedKernels(CpuFeatures.Detect());
        using var weights = new TestWeight(new Random((n * 31) + k + tokens), dtype, n, k, Layout(dtype));
        PackedKind kind = WeightPacker.KindFor(weights.Matrix) ?? PackedKind.Int8;
        Assert.SkipUnless(kernels.Supports(kind), "this machine (or DOTNET_EnableAVX512=0) has no instructions for this kind");
        using var pool = new WorkerPool(2);
        using var arena = new NativeArena();
        PackedMatrix packed = WeightPacker.Pack(pool, weights.Matrix, kind, arena);
        using var tiles = new ActivationTiles(kind);
        var random = new Random(tokens + k);
        int stride = k + 5;
        using NativeBuffer xs = NativeBuffer.Of<float>(tokens * stride);
        xs.Span<float>().Fill(float.NaN);
        var x = new MatrixF32(xs.As<float>(), tokens, k, stride);
        for (int t = 0; t < tokens; t++)
        {
            for (int i = 0; i < k; i++)
            {
                x.Row(t)[i] = ((random.NextSingle() * 2) - 1) * (i % 97 == 3 ? 20 : 1);
            }
        }

        using NativeBuffer ys = NativeBuffer.Of<float>(tokens * (n + 3));
        ys.Span<float>().Fill(float.NaN);
        var y = new MatrixF32(ys.As<float>(), tokens, n, n + 3);
        using NativeBuffer bias = NativeBuffer.Of<float>(n);
        for (int i = 0; i < n; i++)
        {
            bias.Span<float>()[i] = i % 7;
        }

        tiles.Prepare(pool, x);
        PackedMatMul.Forward(pool, kernels, tiles, [packed], [0], new MatMulEpilogue { Bias = bias.As<float>() }, y);

        float[] row = new float[k];
        for (int j = 0; j < n; j++)
        {
            Decode(weights.Matrix, kind, j, row);
            for (int t = 0; t < tokens; t++)
            {
                double sum = bias.Span<float>()[j];
                double magnitude = Math.Abs(sum);
                double[] rounded = Rounded(x.RowSpan(t), packed.Format);
                for (int i = 0; i < k; i++)
                {
                    sum += rounded[i] * row[i];
                    magnitude += Math.Abs(rounded[i] * row[i]);
                }

                // Sums of K products in f32, some of them with an intermediate scale.
                Assert.True(Math.Abs(y.Row(t)[j] - sum) <= 4e-6 * magnitude, $"[{t}, {j}] is {y.Row(t)[j]}, expected {sum} ± {4e-6 * magnitude}");
            }
        }

        for (int t = 0; t < tokens; t++)
        {
            Assert.True(float.IsNaN(y.Row(t)[n]) && float.IsNaN(y.Row(t)[n + 2]), "wrote past a row");
        }
    }

    [Theory]
    [InlineData(DType.Bf16)]
    [InlineData(DType.F8E4M3)]
    [InlineData(DType.I8)]
    [InlineData(DType.Q4_0)]
    public void Forward_TokenInABatch_IsTheSameBitsAsAlone(DType dtype)
    {
        using var kernels = new PackedKernels(CpuFeatures.Detect());
        using var weights = new TestWeight(new Random(5), dtype, 96, 512, Layout(dtype));
        PackedKind kind = WeightPacker.KindFor(weights.Matrix)!.Value;
        Assert.SkipUnless(kernels.Supports(kind), "this machine (or DOTNET_EnableAVX512=0) has no instructions for this kind");
        using var pool = new WorkerPool(2);
        using var arena = new NativeArena();
        PackedMatrix packed = WeightPacker.Pack(pool, weights.Matrix, kind, arena);
        using var tiles = new ActivationTiles(kind);
        const int tokens = 23;
        using NativeBuffer xs = NativeBuffer.Of<float>(tokens * 512);
        var random = new Random(3);
        foreach (ref float v in xs.Span<float>())
        {
            v = random.NextSingle() - 0.5f;
        }

        using NativeBuffer batch = NativeBuffer.Of<float>(tokens * 96);
        using NativeBuffer alone = NativeBuffer.Of<float>(96);
        tiles.Prepare(pool, new MatrixF32(xs.As<float>(), tokens, 512, 512));
        PackedMatMul.Forward(pool, kernels, tiles, [packed], [0], default, new MatrixF32(batch.As<float>(), tokens, 96, 96));
        for (int t = 0; t < tokens; t++)
        {
            tiles.Prepare(pool, new MatrixF32(xs.As<float>() + (t * 512), 1, 512, 512));
            PackedMatMul.Forward(pool, kernels, tiles, [packed], [0], default, new MatrixF32(alone.As<float>(), 1, 96, 96));
            Assert.Equal(alone.Span<float>().ToArray(), batch.Span<float>().Slice(t * 96, 96).ToArray());
        }
    }

    [Fact]
    public void Pack_Int8WithBlockScales_IsRoundedByRowsLikeAnyOtherType()
    {
        using var weights = new TestWeight(new Random(7), DType.I8, 96, 256, ScaleLayout.Block);
        using var pool = new WorkerPool(2);
        using var arena = new NativeArena();
        PackedMatrix packed = WeightPacker.Pack(pool, weights.Matrix, PackedKind.Int8, arena);
        float[] row = new float[256];
        for (int n = 0; n < 96; n++)
        {
            fixed (float* p = row)
            {
                WeightDecoder.DecodeRowReference(weights.Matrix, n, 0, row.Length, p);
            }

            Assert.Equal(row.Max(MathF.Abs) / 127, packed.RowScales[n], 1e-6f);
        }
    }

    private static ScaleLayout Layout(DType dtype) => dtype switch
    {
        DType.I8 => ScaleLayout.PerRow,
        DType.F8E4M3 => ScaleLayout.Block,
        _ => ScaleLayout.None,
    };

    /// <summary>What the packed weights mean.</summary>
    private static void Decode(in WeightMatrix w, PackedKind kind, int n, float[] row)
    {
        fixed (float* p = row)
        {
            WeightDecoder.DecodeRowReference(w, n, 0, row.Length, p);
        }

        if (kind == PackedKind.Int8 && w.DType != DType.I8)
        {
            float scale = row.Max(MathF.Abs) / 127;
            for (int i = 0; i < row.Length; i++)
            {
                row[i] = scale == 0 ? 0 : MathF.Round(row[i] / scale, MidpointRounding.ToEven) * scale;
            }
        }
        else if (w.DType is DType.Q4_K or DType.Q5_K)
        {
            RoundK(w.Row(n), w.DType == DType.Q5_K, row);
        }
        else if (kind == PackedKind.Int8Group16)
        {
            RoundQ6K(w.Row(n), row);
        }
    }

    private static void RoundK(byte* data, bool five, float[] row)
    {
        for (int b = 0; b < row.Length / 256; b++, data += five ? 176 : 144)
        {
            float d = (float)*(Half*)data;
            float dmin = (float)*(Half*)(data + 2);
            byte* s = data + 4;
            for (int i = 0; i < 256; i++)
            {
                int j = i / 32;
                int scale = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | (s[j - 4] >> 6 << 4);
                int min = j < 4 ? s[j + 4] & 63 : (s[j + 4] >> 4) | (s[j] >> 6 << 4);
                int q = (data + (five ? 48 : 16))[(i / 64 * 32) + (i % 32)];
                q = i % 64 < 32 ? q & 15 : q >> 4;
                q |= five ? (((data + 16)[i % 32] >> j) & 1) << 4 : 0;
                row[(b * 256) + i] = ((float)(Half)(d * scale) * q) - (float)(Half)(dmin * min);
            }
        }
    }

    private static void RoundQ6K(byte* data, float[] row)
    {
        for (int i = 0; i < row.Length; i++)
        {
            byte* b = data + (i / 256 * 210);
            float d = (float)*(Half*)(b + 208);
            float scale = d * ((sbyte*)(b + 192))[i % 256 / 16];
            row[i] = scale == 0 ? 0 : MathF.Round(row[i] / scale) * (float)(Half)scale;
        }
    }

    private static double[] Rounded(ReadOnlySpan<float> x, PackedFormat format)
    {
        double[] result = new double[x.Length];
        if (!format.IsInteger)
        {
            for (int i = 0; i < x.Length; i++)
            {
                result[i] = Bf16.ToSingle(Bf16.FromSingle(x[i]));
            }

            return result;
        }

        for (int k = 0; k < x.Length; k += format.RunK)
        {
            ReadOnlySpan<float> group = x.Slice(k, Math.Min(format.RunK, x.Length - k));
            float max = 0;
            foreach (float v in group)
            {
                max = MathF.Max(max, MathF.Abs(v));
            }

            for (int i = 0; i < group.Length; i++)
            {
                result[k + i] = Math.Round((double)(group[i] * (127 / max)), MidpointRounding.ToEven) * (max / 127);
            }
        }

        return result;
    }
}
