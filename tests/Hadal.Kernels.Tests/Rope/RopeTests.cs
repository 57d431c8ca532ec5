using Hadal.Jit;
using Hadal.Kernels.Rope;
using Hadal.Kernels.Tests.Attention;
using Hadal.Numerics;
using Hadal.TestKit;

namespace Hadal.Kernels.Tests.Rope;

public sealed unsafe class RopeTests
{
    private const int Seed = 31;

    public static TheoryData<int, int, int, int, bool> Shapes => new()
    {
        // heads, head dim, start, R, interleaved
        { 1, 8, 0, 8, false },
        { 3, 24, 16, 8, true },
        { 16, 192, 128, 64, true },
        { 16, 192, 128, 64, false },
        { 5, 34, 0, 34, true },
        { 5, 34, 0, 34, false },
        { 28, 128, 0, 128, false },
        { 2, 40, 3, 6, true },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Forward_InPlaceAndNot_IsReference(int heads, int headDim, int start, int r, bool interleaved)
    {
        var random = new Random(Seed + headDim);
        foreach (int t in (int[])[1, 17, 65])
        {
            using var x = TestMatrix.Random(random, t, heads * headDim, gap: 3);
            using var cosSin = TestMatrix.Random(random, t, r, gap: 1);
            using var expected = new TestMatrix(t, heads * headDim);
            RotaryEmbedding.ForwardReference(x.View, cosSin.View, heads, start, interleaved, expected.View);
            foreach (int workers in (int[])[1, 2, 5])
            {
                using var pool = new WorkerPool(workers);
                using var y = new TestMatrix(t, heads * headDim, gap: 2);
                RotaryEmbedding.Forward(pool, x.View, cosSin.View, heads, start, interleaved, y.View);
                TestMatrix.AssertClose(expected, y, 1e-6, $"seed {Seed}, {workers} workers");
                using var inPlace = new TestMatrix(t, heads * headDim, gap: 2);
                inPlace.CopyFrom(x);
                RotaryEmbedding.Forward(pool, inPlace.View, cosSin.View, heads, start, interleaved, inPlace.View);
                TestMatrix.AssertSameBits(y, inPlace, $"seed {Seed}, in place");
            }
        }
    }

    [Fact]
    public void Forward_TableOfCosinesAndSines_KeepsNorms()
    {
        const int T = 40, R = 64;
        using var cosSin = new TestMatrix(T, R);
        int[] positions = [.. Enumerable.Range(0, T).Select(i => i * 997)];
        float[] frequencies = [.. Enumerable.Range(0, R / 2).Select(i => MathF.Pow(10000, -2f * i / R))];
        fixed (int* p = positions)
        {
            RopeTable.Forward(p, frequencies, 1, cosSin.View);
        }

        using var x = TestMatrix.Random(new Random(Seed), T, 3 * R);
        using var y = new TestMatrix(T, 3 * R);
        using var pool = new WorkerPool(2);
        RotaryEmbedding.Forward(pool, x.View, cosSin.View, 3, 0, true, y.View);
        for (int t = 0; t < T; t++)
        {
            Assert.Equal(Norm(x.View.RowSpan(t)), Norm(y.View.RowSpan(t)), 1e-4);
            Assert.Equal(Math.Cos((double)(positions[t] * frequencies[1])), cosSin.View.Row(t)[1], 1e-6);
        }

        static double Norm(ReadOnlySpan<float> v)
        {
            double sum = 0;
            foreach (float f in v)
            {
                sum += (double)f * f;
            }

            return Math.Sqrt(sum);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void KvWriteForward_ScrambledSlots_IsReference(bool bf16)
    {
        var random = new Random(Seed);
        foreach ((int heads, int d, int start, int r) in ((int, int, int, int)[])[(2, 128, 0, 128), (3, 24, 8, 10), (1, 8, 0, 8)])
        {
            foreach (bool interleaved in (bool[])[false, true])
            {
                DType dtype = bf16 ? DType.Bf16 : DType.F32;
                using var expected = new TestPages(new Random(Seed), [(70, 40), (3, 3), (18, 1)], 16, 2 * heads * d, dtype, fillNewRows: false);
                using var actual = new TestPages(new Random(Seed), [(70, 40), (3, 3), (18, 1)], 16, 2 * heads * d, dtype, fillNewRows: false);
                using var k = TestMatrix.Random(random, 44, heads * d, gap: 1);
                using var v = TestMatrix.Random(random, 44, heads * d, gap: 4);
                using var cosSin = TestMatrix.Random(random, 44, r);
                RopeKvWrite.ForwardReference(k.View, v.View, cosSin.View, heads, start, interleaved, expected.Batch, expected.Pages);
                using var pool = new WorkerPool(2);
                RopeKvWrite.Forward(pool, k.View, v.View, cosSin.View, heads, start, interleaved, actual.Batch, actual.Pages);
                PagesAssert.Close(expected, actual, $"seed {Seed}, heads {heads}, interleaved {interleaved}");
            }
        }
    }
}
