using Hadal.Jit;
using Hadal.Kernels.Weights;
using Hadal.Numerics;
using Hadal.TestKit;

namespace Hadal.Kernels.Tests.Weights;

public sealed unsafe class Int8QuantizerTests
{
    private static readonly int _seed = Environment.TickCount;

    [Theory]
    [InlineData(DType.F32, 1, 1, 1)]
    [InlineData(DType.Bf16, 65, 136, 5)]
    [InlineData(DType.F16, 17, 63, 2)]
    [InlineData(DType.F8E4M3, 33, 257, 2)]
    [InlineData(DType.Q4_K, 19, 512, 5)]
    public void Quantize_FiniteWeights_ErrorIsAtMostHalfAStep(DType dtype, int rows, int columns, int numWorkers)
    {
        var random = new Random(_seed);
        using var pool = new WorkerPool(numWorkers);
        using var w = new TestWeight(random, dtype, rows, columns);
        using var values = GuardedBuffer.Of<sbyte>(rows * columns);
        using var scales = GuardedBuffer.Of<float>(rows);
        Int8Quantizer.Quantize(pool, w.Matrix, values.As<sbyte>(), scales.As<float>());
        float[] expected = w.Decode();
        for (int n = 0; n < rows; n++)
        {
            float scale = scales.Span<float>()[n];
            bool reachesEnd = false;
            for (int k = 0; k < columns; k++)
            {
                sbyte q = values.Span<sbyte>()[(n * columns) + k];
                float v = expected[(n * columns) + k];
                Assert.True(Math.Abs(v - ((double)q * scale)) <= scale * (0.5 + 1e-5), $"[{n}, {k}] = {v}: {q} * {scale}, seed {_seed}");
                reachesEnd |= Math.Abs((int)q) == 127;
            }

            Assert.True(reachesEnd || scale == 0, $"row {n} uses less than the whole range, seed {_seed}");
        }

        values.CheckSentinels();
        scales.CheckSentinels();
    }

    [Fact]
    public void Quantize_ItsOwnOutput_ChangesNothing()
    {
        var random = new Random(_seed);
        using var pool = new WorkerPool(2);
        using var w = new TestWeight(random, DType.F32, 20, 100);
        using var values = GuardedBuffer.Of<sbyte>(2000);
        using var scales = GuardedBuffer.Of<float>(20);
        using var again = GuardedBuffer.Of<sbyte>(2000);
        using var scalesAgain = GuardedBuffer.Of<float>(20);
        Int8Quantizer.Quantize(pool, w.Matrix, values.As<sbyte>(), scales.As<float>());
        Int8Quantizer.Quantize(pool, Int8Quantizer.Describe(values.As<sbyte>(), scales.As<float>(), 20, 100), again.As<sbyte>(), scalesAgain.As<float>());
        Assert.True(values.Span<sbyte>().SequenceEqual(again.Span<sbyte>()), $"seed {_seed}");
    }

    [Fact]
    public void Quantize_TiesZerosAndTinyRows_RoundToEvenAndStayFinite()
    {
        // Row 0: scale 1, so halves are ties. Row 1: zeros. Row 2: a 127th is no float32. Row 3: its scale is subnormal, hence coarse.
        float[] rows = [127, 0.5f, 1.5f, -2.5f, 0, 0, 0, 0, float.Epsilon, 0, 0, 0, 200 * float.Epsilon, -200 * float.Epsilon, 0, 0];
        using GuardedBuffer data = GuardedBuffer.Copy<float>(rows);
        using var values = GuardedBuffer.Of<sbyte>(16);
        using var scales = GuardedBuffer.Of<float>(4);
        using var pool = new WorkerPool(1);
        Int8Quantizer.Quantize(pool, new WeightMatrix { Data = data.Pointer, DType = DType.F32, Rows = 4, Columns = 4, RowBytes = 16 }, values.As<sbyte>(), scales.As<float>());
        Assert.Equal([127, 0, 2, -2, 0, 0, 0, 0, 0, 0, 0, 0, 100, -100, 0, 0], values.Span<sbyte>().ToArray());
        Assert.Equal([1f, 0f, 0f, 2 * float.Epsilon], scales.Span<float>().ToArray());
    }

    [Theory]
    [InlineData(float.NaN, 3)]
    [InlineData(float.PositiveInfinity, 40)]
    [InlineData(float.NaN, 66)]
    public void Quantize_NotFinite_SaysWhichRow(float bad, int column)
    {
        float[] rows = new float[3 * 67];
        rows[(2 * 67) + column] = bad;
        using GuardedBuffer data = GuardedBuffer.Copy<float>(rows);
        using var values = GuardedBuffer.Of<sbyte>(rows.Length);
        using var scales = GuardedBuffer.Of<float>(3);
        using var pool = new WorkerPool(2);
        var w = new WeightMatrix { Data = data.Pointer, DType = DType.F32, Rows = 3, Columns = 67, RowBytes = 67 * 4 };
        HadalException e = Assert.Throws<HadalException>(() => Int8Quantizer.Quantize(pool, w, values.As<sbyte>(), scales.As<float>()));
        Assert.Contains("row 2", e.Message);
    }
}
