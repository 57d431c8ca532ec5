using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Hadal.Formats.Checkpoints;
using Hadal.Graph.Cpu;
using Hadal.Graph.Ir;
using Hadal.Kernels;
using Hadal.Numerics;
using Hadal.Optimize.Calibration;
using Hadal.Optimize.Quantization;

namespace Hadal.Optimize.Tests.Quantization;

/// <summary>Every format, through the bytes of its tensors and the loaders that read them: what comes back is what was put in, up to half a step.</summary>
public sealed class MatrixQuantizerTests
{
    private const string Name = "model.layers.0.mlp.down_proj.weight";

    public static TheoryData<WeightFormat, int> Formats => new()
    {
        { WeightFormat.Bf16, 0 }, { WeightFormat.Fp8Block, 0 }, { WeightFormat.Fp8Channel, 0 }, { WeightFormat.Int8, 0 },
        { WeightFormat.Int8Weight, 0 }, { WeightFormat.Int8Weight, 32 }, { WeightFormat.Int4, 32 }, { WeightFormat.Int4, 64 },
    };

    [Theory]
    [MemberData(nameof(Formats))]
    public void Quantize_ThenLoad_StaysWithinHalfAStep(WeightFormat format, int group)
    {
        foreach ((int rows, int columns) in (ReadOnlySpan<(int, int)>)[(1, 64), (3, 192), (127, 64), (128, 128), (129, 320), (300, 64)])
        {
            float[] w = Numbers(rows * columns, 17 + rows, outliers: true);
            float[] loaded = RoundTrip(w, rows, columns, new MatrixSettings(format, group), out _);
            for (int r = 0; r < rows; r++)
            {
                for (int k = 0; k < columns; k++)
                {
                    float step = Step(w, rows, columns, format, group, r, k);
                    float error = MathF.Abs(w[(r * columns) + k] - loaded[(r * columns) + k]);
                    Assert.True(error <= step, $"{format} {group} [{rows}, {columns}] at {r}, {k}: {w[(r * columns) + k]} came back as {loaded[(r * columns) + k]}, further than {step}");
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Quantize_OfWhatCameBack_ChangesNothing(WeightFormat format, int group)
    {
        float[] w = Numbers(130 * 128, 5, outliers: false);
        float[] once = RoundTrip(w, 130, 128, new MatrixSettings(format, group), out _);
        float[] twice = RoundTrip(once, 130, 128, new MatrixSettings(format, group), out _);
        // Scales of groups are searched for: where the extreme code is not used, another scale may serve as well, never worse.
        double error = once.Zip(twice, (a, b) => Math.Abs(a - (double)b)).Sum() / once.Sum(v => Math.Abs((double)v));
        Assert.InRange(error, 0, format == WeightFormat.Int4 ? 0.02 : 1e-6);
    }

    [Property]
    public Property PackedWords_OfAnyCodes_AreWhatTheKernelsRead() => Prop.ForAll(
        Gen.Choose(-8, 7).Select(i => (float)i).ArrayOf(64).ToArbitrary(),
        codes =>
        {
            // An extreme code in each group fixes its scale: any other would round it elsewhere.
            codes[0] = codes[32] = -8;
            codes[1] = codes[33] = 7;
            float[] w = [.. codes.Select(c => c * 0.25f)];
            return RoundTrip(w, 1, 64, new MatrixSettings(WeightFormat.Int4, 32), out _).SequenceEqual(w);
        });

    [Property]
    public Property Representable_OfAnyScale_IsABf16AndAFloat16() => Prop.ForAll(
        Gen.Choose(1, int.MaxValue).Select(i => BitConverter.Int32BitsToSingle(i % 0x7F000000)).ToArbitrary(),
        scale =>
        {
            float s = GroupScale.Representable(scale);
            return s > 0 && (float)(Half)s == s && Bf16.ToSingle(Bf16.FromSingle(s)) == s
                && (scale is < 1e-4f or > 65000 || MathF.Abs(s - scale) <= scale / 128);
        });

    [Fact]
    public void Quantize_WithFeedback_LowersTheErrorOfTheProduct()
    {
        const int tokens = 512;
        const int rows = 48;
        const int columns = 256;
        float[] w = Numbers(rows * columns, 3, outliers: false);
        using var x = new OwnedMatrixF32(tokens, columns);
        var random = new Random(9);
        for (int t = 0; t < tokens; t++)
        {
            // Correlated inputs: eight causes behind 256 channels.
            float[] causes = [.. Enumerable.Range(0, 8).Select(_ => random.NextSingle() - 0.5f)];
            for (int k = 0; k < columns; k++)
            {
                x.Row(t)[k] = causes[k % 8] + (0.3f * causes[(k / 8) % 8]) + (0.1f * (random.NextSingle() - 0.5f));
            }
        }

        using var pool = new Jit.WorkerPool(2, default);
        var input = new MatrixInput([WeightSpec.Matrix(Name, rows, columns)], x.Matrix, null, pool);
        using ErrorFeedback? feedback = ErrorFeedback.Of(input, [], 0.01f, 2);
        Assert.NotNull(feedback);
        var settings = new MatrixSettings(WeightFormat.Int4, 64);
        double plain = ProductError(x, w, RoundTrip(w, rows, columns, settings, out _), rows, columns);
        double passedOn = ProductError(x, w, RoundTrip(w, rows, columns, settings, out _, feedback), rows, columns);
        Assert.True(passedOn < plain / 3, $"with feedback {passedOn}, without {plain}");
    }

    [Fact]
    public void Of_UpperFactor_IsARootOfTheInverse()
    {
        const int n = 150;
        using var x = new OwnedMatrixF32(400, n);
        for (int t = 0; t < x.Rows; t++)
        {
            Numbers(n, t + 1, outliers: false).CopyTo(x.Row(t));
        }

        using var pool = new Jit.WorkerPool(2, default);
        var input = new MatrixInput([WeightSpec.Matrix(Name, 1, n)], x.Matrix, null, pool);
        using ErrorFeedback feedback = ErrorFeedback.Of(input, [], 0.01f, 2)!;
        using var h = new OwnedMatrixF32(n, n);
        Kernels.MatMul.Gram.Accumulate(pool, x.Matrix, h);
        float damp = Enumerable.Range(0, n).Average(i => h.Row(i)[i]) * 0.01f;
        (OwnedMatrixF32 u, _) = feedback.Segment(0);
        // H · (Uᵀ·U) = 1
        for (int i = 0; i < n; i += 7)
        {
            double[] hu = new double[n];
            for (int k = 0; k < n; k++)
            {
                for (int j = 0; j < n; j++)
                {
                    hu[k] += (h.Row(i)[j] + (i == j ? damp : 0)) * (double)u.Row(k)[j];
                }
            }

            for (int j = 0; j < n; j++)
            {
                double sum = 0;
                for (int k = 0; k < n; k++)
                {
                    sum += hu[k] * u.Row(k)[j];
                }

                Assert.Equal(i == j ? 1 : 0, sum, 2e-3);
            }
        }
    }

    [Theory]
    [InlineData(96, 128, "--group-size 96 does")]
    [InlineData(100, 32, "no multiple of 32 does")]
    [InlineData(96, 0, "--group-size 96 does not")]
    [InlineData(128, 40, "multiple of 32")]
    public void Plan_OfAShapeThatDoesNotDivide_SaysWhatWould(int columns, int group, string says)
    {
        if (says.EndsWith("not", StringComparison.Ordinal))
        {
            // Whole rows of 96 are three runs of 32: that is possible.
            Assert.Equal(3, new MatrixSettings(WeightFormat.Int4, group).Plan(Name, 8, columns, false).Count);
            return;
        }

        HadalException e = Assert.Throws<HadalException>(() => new MatrixSettings(WeightFormat.Int4, group).Plan(Name, 8, columns, false));
        Assert.Contains(Name, e.Message, StringComparison.Ordinal);
        Assert.Contains(says, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Quantize_OfANumberThatIsNotFinite_NamesTheRow(float wrong)
    {
        float[] w = Numbers(4 * 64, 1, outliers: false);
        w[(2 * 64) + 5] = wrong;
        HadalException e = Assert.Throws<HadalException>(() => RoundTrip(w, 4, 64, new MatrixSettings(WeightFormat.Int8, 0), out _));
        Assert.Contains("row 2", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model.layers.*", "model.layers.3.mlp.down_proj", true)]
    [InlineData("*", "", true)]
    [InlineData("", "a", false)]
    [InlineData("model.layers.*.self_attn.*", "model.layers.3.mlp.down_proj", false)]
    [InlineData("*experts.*.gate*", "model.layers.1.mlp.experts.*.gate_proj+up_proj", true)]
    [InlineData("model.layers.1.*", "model.layers.11.mlp.down_proj", false)]
    [InlineData("a*b*c", "aXbYbZc", true)]
    public void Matches_OfAPattern(string pattern, string name, bool expected)
        => Assert.Equal(expected, new Hadal.Optimize.Recipes.QuantRule(pattern, WeightFormat.Int8, "").Matches(name));

    internal static float[] RoundTrip(float[] w, int rows, int columns, MatrixSettings settings, out MatrixError error, ErrorFeedback? feedback = null)
    {
        using var source = new OneMatrix(w, rows, columns);
        var spec = WeightSpec.Matrix(Name, rows, columns);
        using var matrix = new MatrixRows(source, null, spec, [], []);
        using var overlay = new OverlayTensors(source);
        MatrixError made = default;
        overlay.Replace(Name, settings.Plan(Name, rows, columns, deepSeekNames: false), append => made = MatrixQuantizer.Quantize(matrix, settings, [], feedback, 2, append));
        error = made;
        ITensorSource unpacked = PackedTensorSource.Wrap(overlay);
        using var loaded = new StoredMatrix(unpacked, settings.Format == WeightFormat.Fp8Block ? (128, 128) : null, spec);
        float[] result = new float[rows * columns];
        for (int r = 0; r < rows; r++)
        {
            loaded.Decode(r, result.AsSpan(r * columns, columns));
        }

        return result;
    }

    private static float Step(float[] w, int rows, int columns, WeightFormat format, int group, int row, int column)
    {
        float Most(int r0, int r1, int c0, int c1)
        {
            float most = 0;
            for (int r = r0; r < Math.Min(rows, r1); r++)
            {
                for (int k = c0; k < Math.Min(columns, c1); k++)
                {
                    most = MathF.Max(most, MathF.Abs(w[(r * columns) + k]));
                }
            }

            return most;
        }

        float value = MathF.Abs(w[(row * columns) + column]);
        int span = group == 0 ? columns : group;
        float inGroup = Most(row, row + 1, column / span * span, (column / span * span) + span);
        return format switch
        {
            WeightFormat.Bf16 => value / 256,
            // Three bits of mantissa, and steps of 2^-9 below the smallest normal.
            WeightFormat.Fp8Block => (value / 16) + (Most(row / 128 * 128, (row / 128 * 128) + 128, column / 128 * 128, (column / 128 * 128) + 128) / 448 / 1024 * 1.01f),
            WeightFormat.Fp8Channel => (value / 16) + (inGroup / 448 / 1024 * 1.01f),
            WeightFormat.Int8 => inGroup / 127 / 2 * 1.001f,
            // Scales are rounded to bf16: half a step, and what that moves the largest by.
            WeightFormat.Int8Weight => inGroup * ((0.5f / 127) + (1f / 256)) * 1.01f,
            // A clipped extreme is off by as much as the search allows: a quarter of it.
            _ => inGroup * 0.27f,
        };
    }

    private static double ProductError(OwnedMatrixF32 x, float[] w, float[] rounded, int rows, int columns)
    {
        double sum = 0;
        for (int t = 0; t < x.Rows; t++)
        {
            for (int r = 0; r < rows; r++)
            {
                double e = 0;
                for (int k = 0; k < columns; k++)
                {
                    e += x.Row(t)[k] * (double)(w[(r * columns) + k] - rounded[(r * columns) + k]);
                }

                sum += e * e;
            }
        }

        return sum;
    }

    private static float[] Numbers(int count, int seed, bool outliers)
    {
        var random = new Random(seed);
        float[] w = new float[count];
        for (int i = 0; i < count; i++)
        {
            w[i] = (random.NextSingle() - 0.5f) * (random.NextSingle() + 0.1f);
            if (outliers && random.Next(200) == 0)
            {
                w[i] *= 20;
            }
        }

        return w;
    }

    private sealed class OneMatrix : ITensorSource
    {
        private readonly NativeBuffer _buffer;
        private readonly StoredTensor _tensor;

        public OneMatrix(float[] w, int rows, int columns)
        {
            _buffer = NativeBuffer.Of<float>(w.Length);
            w.CopyTo(_buffer.Span<float>());
            _tensor = new StoredTensor(Name, DType.F32, [rows, columns], _buffer, "test");
        }

        public string Description => "test";

        public IReadOnlyCollection<string> Names => [Name];

        public bool TryGet(string name, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out StoredTensor? tensor)
        {
            tensor = name == Name ? _tensor : null;
            return tensor is not null;
        }

        public void Dispose() => _buffer.Dispose();
    }
}
