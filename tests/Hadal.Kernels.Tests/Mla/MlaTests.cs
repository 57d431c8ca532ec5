using Hadal.Jit;
using Hadal.Kernels.Mla;
using Hadal.Kernels.Tests.Attention;
using Hadal.Kernels.Weights;
using Hadal.Numerics;
using Hadal.TestKit;

namespace Hadal.Kernels.Tests.Mla;

public sealed unsafe class MlaTests
{
    private const double Tolerance = 5e-5;

    public static TheoryData<int, int, int, int, int, int, bool> Shapes => new()
    {
        // H, C, R, Dn, Dv, block size, bf16
        { 4, 32, 8, 16, 16, 16, false },
        { 3, 40, 6, 20, 12, 1, true },
        { 16, 64, 16, 32, 32, 32, true },
        { 9, 128, 64, 24, 40, 16, false },
        { 70, 48, 8, 8, 8, 16, true },
        { 2, 512, 64, 128, 128, 16, true },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void LatentForward_RaggedBatch_IsReference(int h, int c, int r, int dn, int dv, int blockSize, bool bf16)
    {
        const int Seed = 21;
        var shape = new MlaShape(h, c, r, dn, dv);
        var random = new Random(Seed + c);
        using var pages = Ragged(random, blockSize, shape, bf16);
        int t = pages.Batch.NumTokens;
        float scale = 1 / MathF.Sqrt(shape.CacheWidth);
        using var q = TestMatrix.Random(random, t, h * shape.CacheWidth, gap: 1);
        using var expected = new TestMatrix(t, h * c);
        MlaLatentAttention.ForwardReference(q.View, pages.Batch, pages.Pages, shape, scale, expected.View);
        foreach (int workers in (int[])[1, 2, 5])
        {
            using var pool = new WorkerPool(workers);
            using var actual = new TestMatrix(t, h * c, gap: 7);
            MlaLatentAttention.Forward(pool, q.View, pages.Batch, pages.Pages, shape, scale, actual.View);
            TestMatrix.AssertClose(expected, actual, Tolerance, $"seed {Seed}, {workers} workers");
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void ExpandedForward_RaggedBatch_IsReference(int h, int c, int r, int dn, int dv, int blockSize, bool bf16)
    {
        const int Seed = 22;
        var shape = new MlaShape(h, c, r, dn, dv);
        var random = new Random(Seed + c);
        using var pages = Ragged(random, blockSize, shape, bf16);
        int t = pages.Batch.NumTokens;
        float scale = 1 / MathF.Sqrt(shape.QkHeadDim);
        using var weight = Weight(random, shape, out WeightMatrix kvB);
        using var q = TestMatrix.Random(random, t, h * shape.QkHeadDim, gap: 1);
        using var expected = new TestMatrix(t, h * dv);
        MlaAttention.ForwardReference(q.View, pages.Batch, pages.Pages, kvB, shape, scale, expected.View);
        foreach (int workers in (int[])[1, 5, 11])
        {
            using var pool = new WorkerPool(workers);
            using var actual = new TestMatrix(t, h * dv, gap: 7);
            MlaAttention.Forward(pool, q.View, pages.Batch, pages.Pages, kvB, shape, scale, actual.View);
            TestMatrix.AssertClose(expected, actual, Tolerance, $"seed {Seed}, {workers} workers");
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void AbsorbedForm_IsExpandedForm(int h, int c, int r, int dn, int dv, int blockSize, bool bf16)
    {
        const int Seed = 23;
        var shape = new MlaShape(h, c, r, dn, dv);
        var random = new Random(Seed + c);
        using var pages = Ragged(random, blockSize, shape, bf16);
        int t = pages.Batch.NumTokens;
        float scale = 1 / MathF.Sqrt(shape.QkHeadDim);
        using var weight = Weight(random, shape, out WeightMatrix kvB);
        using var q = TestMatrix.Random(random, t, h * shape.QkHeadDim);
        using var expanded = new TestMatrix(t, h * dv);
        using var qLatent = new TestMatrix(t, h * shape.CacheWidth);
        using var oLatent = new TestMatrix(t, h * c);
        using var absorbed = new TestMatrix(t, h * dv);
        using var pool = new WorkerPool(2);
        MlaAttention.Forward(pool, q.View, pages.Batch, pages.Pages, kvB, shape, scale, expanded.View);
        MlaAbsorbQuery.Forward(pool, q.View, kvB, shape, qLatent.View);
        MlaLatentAttention.Forward(pool, qLatent.View, pages.Batch, pages.Pages, shape, scale, oLatent.View);
        MlaExpandValue.Forward(pool, oLatent.View, kvB, shape, absorbed.View);
        TestMatrix.AssertClose(expanded, absorbed, Tolerance, $"seed {Seed}");
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void AbsorbAndExpand_AnyTokens_AreReferencesAndIndependentOfT(int h, int c, int r, int dn, int dv, int blockSize, bool bf16)
    {
        const int Seed = 24;
        var shape = new MlaShape(h, c, r, dn, dv);
        var random = new Random(Seed + blockSize + (bf16 ? 1 : 0));
        using var weight = Weight(random, shape, out WeightMatrix kvB);
        foreach (int t in (int[])[1, 3, 17])
        {
            using var q = TestMatrix.Random(random, t, h * shape.QkHeadDim, gap: 2);
            using var expected = new TestMatrix(t, h * shape.CacheWidth);
            MlaAbsorbQuery.ForwardReference(q.View, kvB, shape, expected.View);
            using var latent = TestMatrix.Random(random, t, h * c, gap: 3);
            using var expectedValue = new TestMatrix(t, h * dv);
            MlaExpandValue.ForwardReference(latent.View, kvB, shape, expectedValue.View);
            foreach (int workers in (int[])[1, 2, 5])
            {
                using var pool = new WorkerPool(workers);
                using var actual = new TestMatrix(t, h * shape.CacheWidth, gap: 1);
                MlaAbsorbQuery.Forward(pool, q.View, kvB, shape, actual.View);
                TestMatrix.AssertClose(expected, actual, Tolerance, $"absorb, seed {Seed}, T {t}, {workers} workers");
                using var actualValue = new TestMatrix(t, h * dv, gap: 1);
                MlaExpandValue.Forward(pool, latent.View, kvB, shape, actualValue.View);
                TestMatrix.AssertClose(expectedValue, actualValue, Tolerance, $"expand, seed {Seed}, T {t}, {workers} workers");

                using var last = new TestMatrix(1, h * shape.CacheWidth);
                MlaAbsorbQuery.Forward(pool, new MatrixF32(q.View.Row(t - 1), 1, q.View.Columns, q.View.Stride), kvB, shape, last.View);
                Assert.True(last.View.RowSpan(0).SequenceEqual(actual.View.RowSpan(t - 1)));
                using var lastValue = new TestMatrix(1, h * dv);
                MlaExpandValue.Forward(pool, new MatrixF32(latent.View.Row(t - 1), 1, h * c, latent.View.Stride), kvB, shape, lastValue.View);
                Assert.True(lastValue.View.RowSpan(0).SequenceEqual(actualValue.View.RowSpan(t - 1)));
            }
        }
    }

    [Fact]
    public void LatentForward_BatchAndWorkers_DoNotChangeABit()
    {
        const int Seed = 25;
        var shape = new MlaShape(16, 64, 16, 32, 32);
        var random = new Random(Seed);
        using var pages = new TestPages(random, [(900, 1), (3, 1), (1500, 2)], 16, shape.CacheWidth, DType.Bf16);
        int t = pages.Batch.NumTokens;
        int columns = shape.NumHeads * shape.CacheWidth;
        using var q = TestMatrix.Random(random, t, columns);
        using var whole = new TestMatrix(t, shape.NumHeads * shape.KvLoraRank);
        using (var one = new WorkerPool(1))
        {
            MlaLatentAttention.Forward(one, q.View, pages.Batch, pages.Pages, shape, 0.1f, whole.View);
        }

        using var many = new WorkerPool(9);
        for (int b = 0; b < pages.Batch.NumSequences; b++)
        {
            int first = pages.Batch.CuSeqLens[b];
            int rows = pages.Batch.CuSeqLens[b + 1] - first;
            using var alone = new TestMatrix(rows, whole.View.Columns);
            MlaLatentAttention.Forward(
                many, new MatrixF32(q.View.Row(first), rows, columns, q.View.Stride), pages.Alone(b), pages.Pages, shape, 0.1f, alone.View);
            for (int i = 0; i < rows; i++)
            {
                Assert.True(whole.View.RowSpan(first + i).SequenceEqual(alone.View.RowSpan(i)), $"sequence {b}, row {i} (seed {Seed})");
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void NormRopeKvWrite_ScrambledSlots_IsReference(bool bf16)
    {
        const int Seed = 26;
        var random = new Random(Seed);
        foreach ((int c, int r) in ((int, int)[])[(32, 8), (512, 64), (40, 6)])
        {
            foreach (bool interleaved in (bool[])[false, true])
            {
                DType dtype = bf16 ? DType.Bf16 : DType.F32;
                using var expected = new TestPages(new Random(Seed), [(5, 5), (17, 1), (33, 20)], 16, c + r, dtype, fillNewRows: false);
                using var actual = new TestPages(new Random(Seed), [(5, 5), (17, 1), (33, 20)], 16, c + r, dtype, fillNewRows: false);
                using var kvA = TestMatrix.Random(random, 26, c + r, gap: 3);
                using var w = TestMatrix.Random(random, 1, c);
                using var cosSin = TestMatrix.Random(random, 26, r, gap: 2);
                MlaNormRopeKvWrite.ForwardReference(kvA.View, w.View.RowSpan(0), 1e-6f, cosSin.View, interleaved, expected.Batch, expected.Pages);
                using var pool = new WorkerPool(2);
                MlaNormRopeKvWrite.Forward(pool, kvA.View, w.View.RowSpan(0), 1e-6f, cosSin.View, interleaved, actual.Batch, actual.Pages);
                PagesAssert.Close(expected, actual, $"seed {Seed}, C {c}, interleaved {interleaved}");
            }
        }
    }

    private static TestPages Ragged(Random random, int blockSize, MlaShape shape, bool bf16) => new(
        random, [(1, 1), (17, 17), (290, 1), (70, 33), (140, 135)], blockSize, shape.CacheWidth, bf16 ? DType.Bf16 : DType.F32);

    private static TestMatrix Weight(Random random, MlaShape shape, out WeightMatrix kvB)
    {
        TestMatrix m = TestMatrix.Random(
            random, shape.NumHeads * (shape.QkNopeHeadDim + shape.VHeadDim), shape.KvLoraRank, scale: 1 / Math.Sqrt(shape.KvLoraRank));
        kvB = new WeightMatrix
        {
            Data = (byte*)m.View.Data,
            DType = DType.F32,
            Rows = m.View.Rows,
            Columns = m.View.Columns,
            RowBytes = m.View.Columns * sizeof(float),
        };
        return m;
    }
}
