using Hadal.Jit;
using Hadal.Kernels.Attention;
using Hadal.Numerics;
using Hadal.TestKit;

namespace Hadal.Kernels.Tests.Attention;

public sealed unsafe class PagedAttentionTests
{
    // Scores of order 1 from f32 dot products, probabilities good to 1e-6, values of order 1: 3e-6 was the worst seen.
    private const double Tolerance = 2e-5;

    public static TheoryData<int, int, int, int, bool> Shapes => new()
    {
        // H, HKv, D, block size, bf16
        { 1, 1, 8, 1, false },
        { 4, 2, 16, 16, true },
        { 6, 2, 24, 16, false },
        { 7, 1, 64, 32, true },
        { 8, 8, 80, 16, false },
        { 14, 2, 96, 16, true },
        { 12, 1, 128, 16, false },
        { 28, 4, 128, 32, true },
        { 3, 3, 17, 1, false },
        { 2, 1, 256, 32, true },
        { 150, 1, 16, 16, false },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Forward_RaggedBatch_IsReference(int numHeads, int numKvHeads, int d, int blockSize, bool bf16)
    {
        const int Seed = 11;
        var random = new Random(Seed + numHeads + d);
        using var pages = new TestPages(
            random, [(1, 1), (17, 17), (65, 1), (300, 33), (63, 15), (16, 16), (530, 1)], blockSize, 2 * numKvHeads * d, bf16 ? DType.Bf16 : DType.F32);
        float scale = 1 / MathF.Sqrt(d);
        int t = pages.Batch.NumTokens;
        using var q = TestMatrix.Random(random, t, numHeads * d, gap: 5);
        using var expected = new TestMatrix(t, numHeads * d);
        PagedAttention.ForwardReference(q.View, pages.Batch, pages.Pages, numHeads, numKvHeads, scale, expected.View);
        foreach (int workers in (int[])[1, 2, 5])
        {
            using var pool = new WorkerPool(workers);
            using var actual = new TestMatrix(t, numHeads * d, gap: 3);
            PagedAttention.Forward(pool, q.View, pages.Batch, pages.Pages, numHeads, numKvHeads, scale, actual.View);
            TestMatrix.AssertClose(expected, actual, Tolerance, $"seed {Seed}, {workers} workers");
        }
    }

    [Fact]
    public void Forward_BatchAndWorkers_DoNotChangeABit()
    {
        const int Seed = 12;
        const int H = 6, HKv = 2, D = 40;
        var random = new Random(Seed);
        using var pages = new TestPages(random, [(900, 1), (2, 1), (1300, 3), (70, 40)], 16, 2 * HKv * D, DType.Bf16);
        int t = pages.Batch.NumTokens;
        using var q = TestMatrix.Random(random, t, H * D);
        using var whole = new TestMatrix(t, H * D);
        using (var pool = new WorkerPool(1))
        {
            PagedAttention.Forward(pool, q.View, pages.Batch, pages.Pages, H, HKv, 0.2f, whole.View);
        }

        // Few tasks for many workers: contexts are split over them.
        using var many = new WorkerPool(16);
        for (int b = 0; b < pages.Batch.NumSequences; b++)
        {
            int first = pages.Batch.CuSeqLens[b];
            int rows = pages.Batch.CuSeqLens[b + 1] - first;
            using var alone = new TestMatrix(rows, H * D);
            PagedAttention.Forward(many, new MatrixF32(q.View.Row(first), rows, H * D, q.View.Stride), pages.Alone(b), pages.Pages, H, HKv, 0.2f, alone.View);
            for (int i = 0; i < rows; i++)
            {
                Assert.True(
                    whole.View.RowSpan(first + i).SequenceEqual(alone.View.RowSpan(i)), $"sequence {b}, row {i} differs alone from in the batch (seed {Seed})");
            }
        }
    }

    [Fact]
    public void Forward_ChunkedPrefill_IsWholePrefill()
    {
        const int Seed = 13;
        const int H = 4, HKv = 2, D = 32, T = 700;
        var random = new Random(Seed);
        using var pages = new TestPages(random, [(T, T)], 16, 2 * HKv * D, DType.F32);
        using var q = TestMatrix.Random(random, T, H * D);
        using var whole = new TestMatrix(T, H * D);
        using var chunked = new TestMatrix(T, H * D);
        using var pool = new WorkerPool(3);
        PagedAttention.Forward(pool, q.View, pages.Batch, pages.Pages, H, HKv, 0.2f, whole.View);
        for (int from = 0, size = 1; from < T; from += size, size = Math.Min(T - from, (size * 2) + 1))
        {
            MatrixF32 rows = new(q.View.Row(from), size, H * D, q.View.Stride);
            PagedAttention.Forward(
                pool, rows, pages.Chunk(from, size), pages.Pages, H, HKv, 0.2f, new MatrixF32(chunked.View.Row(from), size, H * D, chunked.View.Stride));
        }

        TestMatrix.AssertClose(whole, chunked, Tolerance, $"seed {Seed}");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(20)]
    public void Forward_HugeScores_PickTheLargestWithoutOverflow(int rows)
    {
        // Keys are ±e_0 times a size that grows with the position: scores run from -1e4 to 1e4, a thousand apart from the next.
        const int D = 16;
        var random = new Random(14);
        using var pages = new TestPages(random, [(300 + rows, rows)], 16, 2 * D, DType.F32);
        for (int p = 0; p < 300 + rows; p++)
        {
            float* row = (float*)pages.Pages.Data + (Slot(pages, p) * 2 * D);
            new Span<float>(row, D).Clear();
            row[0] = p == 137 ? 1e4f : -1e4f + p;
        }

        using var q = new TestMatrix(rows, D);
        for (int t = 0; t < rows; t++)
        {
            q.View.RowSpan(t).Clear();
            q.View.Row(t)[0] = 1;
        }

        using var o = new TestMatrix(rows, D);
        using var pool = new WorkerPool(2);
        PagedAttention.Forward(pool, q.View, pages.Batch, pages.Pages, 1, 1, 1f, o.View);
        float* best = (float*)pages.Pages.Data + (Slot(pages, 137) * 2 * D) + D;
        for (int t = 0; t < rows; t++)
        {
            Assert.True(o.View.RowSpan(t).SequenceEqual(new Span<float>(best, D)));
        }
    }

    [Fact]
    public void Forward_SteadyState_AllocatesNothing()
    {
        var random = new Random(15);
        using var pages = new TestPages(random, [(600, 1), (40, 20)], 16, 2 * 2 * 32, DType.Bf16);
        using var q = TestMatrix.Random(random, 21, 4 * 32);
        using var o = new TestMatrix(21, 4 * 32);
        using var pool = new WorkerPool(2);
        long before = 0;
        for (int i = 0; i < 6; i++)
        {
            before = i == 3 ? GC.GetAllocatedBytesForCurrentThread() : before;
            PagedAttention.Forward(pool, q.View, pages.Batch, pages.Pages, 4, 2, 1f, o.View);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Forward_PositionBeyondContext_IsRefused()
    {
        var random = new Random(16);
        using var pages = new TestPages(random, [(20, 3)], 16, 2 * 8, DType.F32);
        using var q = TestMatrix.Random(random, 3, 8);
        using var o = new TestMatrix(3, 8);
        using var pool = new WorkerPool(1);
        pages.Batch.Positions[2] = 20;
        Assert.Throws<ArgumentException>(() => PagedAttention.Forward(pool, q.View, pages.Batch, pages.Pages, 1, 1, 1f, o.View));
    }

    private static long Slot(TestPages pages, int position)
        => ((long)pages.Batch.BlockTables[position / pages.Batch.BlockSize] * pages.Batch.BlockSize) + (position % pages.Batch.BlockSize);
}
