using Hadal.Jit;
using Hadal.Kernels.Attention;
using Hadal.Kernels.Attention.Emitted;
using Hadal.Kernels.Mla;
using Hadal.Numerics;
using Hadal.TestKit;

namespace Hadal.Kernels.Tests.Attention;

/// <summary>The emitted kernel against the plain sum over the same rounded queries: what is left is the rounding of probabilities to bf16.</summary>
public sealed unsafe class EmittedAttentionTests
{
    // Probabilities are wrong by 2^-9 of themselves at the most, and so is their weighted mean of values of up to about 4.
    private const double Tolerance = 4 / 512.0;

    public static TheoryData<int, int, int, int> Shapes => new()
    {
        { 1, 16, 8, 16 },
        { 4, 32, 8, 16 },
        { 3, 48, 24, 1 },
        { 16, 64, 16, 32 },
        { 9, 128, 64, 16 },
        { 70, 48, 8, 7 },
        { 16, 512, 64, 16 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Forward_RaggedBatch_IsReference(int h, int c, int r, int blockSize)
    {
        var shape = new MlaShape(h, c, r, 16, 16);
        using AttentionKernel kernel = Kernel(shape);
        var random = new Random(h + c);
        using var pages = new TestPages(random, [(1, 1), (17, 17), (290, 1), (70, 18), (132, 130), (1030, 2)], blockSize, shape.CacheWidth, DType.Bf16);
        int t = pages.Batch.NumTokens;
        float scale = 1 / MathF.Sqrt(shape.CacheWidth);
        using TestMatrix q = RoundedQueries(random, t, h * shape.CacheWidth);
        using var expected = new TestMatrix(t, h * c);
        MlaLatentAttention.ForwardReference(q.View, pages.Batch, pages.Pages, shape, scale, expected.View);
        foreach (int workers in (int[])[1, 5, 40])
        {
            using var pool = new WorkerPool(workers);
            using var actual = new TestMatrix(t, h * c, gap: 7);
            EmittedAttention.Forward(pool, kernel, q.View, pages.Batch, pages.Pages, scale, actual.View);
            TestMatrix.AssertClose(expected, actual, Tolerance, $"{workers} workers");
        }
    }

    [Theory]
    [InlineData(1, 1, 16, 16)]
    [InlineData(12, 2, 128, 16)]
    [InlineData(6, 6, 64, 1)]
    [InlineData(32, 8, 128, 32)]
    [InlineData(5, 1, 80, 7)]
    [InlineData(34, 2, 32, 16)]
    public void Forward_GroupedQueries_IsReference(int h, int kvHeads, int d, int blockSize)
    {
        using AttentionKernel kernel = Kernel(AttentionKernelShape.GroupedQuery(h, kvHeads, d));
        var random = new Random(h + d);
        using var pages = new TestPages(random, [(1, 1), (17, 17), (290, 1), (70, 18), (132, 130), (1030, 2)], blockSize, 2 * kvHeads * d, DType.Bf16);
        int t = pages.Batch.NumTokens;
        float scale = 1 / MathF.Sqrt(d);
        using TestMatrix q = RoundedQueries(random, t, h * d);
        using var expected = new TestMatrix(t, h * d);
        PagedAttention.ForwardReference(q.View, pages.Batch, pages.Pages, h, kvHeads, scale, expected.View);
        foreach (int workers in (int[])[1, 5, 40])
        {
            using var pool = new WorkerPool(workers);
            using var actual = new TestMatrix(t, h * d, gap: 7);
            EmittedAttention.Forward(pool, kernel, q.View, pages.Batch, pages.Pages, scale, actual.View);
            TestMatrix.AssertClose(expected, actual, Tolerance, $"{workers} workers");
        }
    }

    [Fact]
    public void Forward_LargeScores_DoNotOverflow()
    {
        var shape = new MlaShape(16, 64, 16, 32, 32);
        using AttentionKernel kernel = Kernel(shape);
        var random = new Random(3);
        using var pages = new TestPages(random, [(600, 3)], 16, shape.CacheWidth, DType.Bf16);
        using TestMatrix q = RoundedQueries(random, 3, 16 * shape.CacheWidth);
        using var expected = new TestMatrix(3, 16 * 64);
        using var actual = new TestMatrix(3, 16 * 64);
        MlaLatentAttention.ForwardReference(q.View, pages.Batch, pages.Pages, shape, 100, expected.View);
        using var pool = new WorkerPool(2);
        EmittedAttention.Forward(pool, kernel, q.View, pages.Batch, pages.Pages, 100, actual.View);
        TestMatrix.AssertClose(expected, actual, Tolerance, "scale 100");
    }

    [Fact]
    public void Forward_NaNInAQuery_ReachesItsRowAlone()
    {
        var shape = new MlaShape(16, 64, 16, 32, 32);
        using AttentionKernel kernel = Kernel(shape);
        var random = new Random(4);
        using var pages = new TestPages(random, [(300, 1)], 16, shape.CacheWidth, DType.Bf16);
        using TestMatrix q = RoundedQueries(random, 1, 16 * shape.CacheWidth);
        q.View.Row(0)[(5 * shape.CacheWidth) + 3] = float.NaN;
        using var actual = new TestMatrix(1, 16 * 64);
        using var pool = new WorkerPool(2);
        EmittedAttention.Forward(pool, kernel, q.View, pages.Batch, pages.Pages, 0.1f, actual.View);
        for (int h = 0; h < 16; h++)
        {
            Assert.Equal(h == 5, float.IsNaN(actual.View.Row(0)[h * 64]));
        }
    }

    [Fact]
    public void Forward_BatchAndWorkers_DoNotChangeABit()
    {
        var shape = new MlaShape(12, 64, 16, 32, 32);
        using AttentionKernel kernel = Kernel(shape);
        var random = new Random(25);
        using var pages = new TestPages(random, [(900, 1), (3, 1), (1500, 2), (700, 30)], 16, shape.CacheWidth, DType.Bf16);
        int t = pages.Batch.NumTokens;
        int columns = shape.NumHeads * shape.CacheWidth;
        using var q = TestMatrix.Random(random, t, columns);
        using var whole = new TestMatrix(t, shape.NumHeads * shape.KvLoraRank);
        using (var one = new WorkerPool(1))
        {
            EmittedAttention.Forward(one, kernel, q.View, pages.Batch, pages.Pages, 0.1f, whole.View);
        }

        using var many = new WorkerPool(9);
        for (int b = 0; b < pages.Batch.NumSequences; b++)
        {
            int first = pages.Batch.CuSeqLens[b];
            int rows = pages.Batch.CuSeqLens[b + 1] - first;
            using var alone = new TestMatrix(rows, whole.View.Columns);
            EmittedAttention.Forward(many, kernel, new MatrixF32(q.View.Row(first), rows, columns, q.View.Stride), pages.Alone(b), pages.Pages, 0.1f, alone.View);
            for (int i = 0; i < rows; i++)
            {
                Assert.True(whole.View.RowSpan(first + i).SequenceEqual(alone.View.RowSpan(i)), $"sequence {b}, row {i}");
            }
        }
    }

    private static AttentionKernel Kernel(MlaShape shape) => Kernel(AttentionKernelShape.Latent(shape));

    private static AttentionKernel Kernel(AttentionKernelShape shape)
    {
        Assert.SkipUnless(AttentionKernel.Supports(CpuFeatures.Detect(), shape), "this machine (or DOTNET_EnableAVX512=0) has no bf16 products");
        return new AttentionKernel(shape);
    }

    private static TestMatrix RoundedQueries(Random random, int rows, int columns)
    {
        TestMatrix q = TestMatrix.Random(random, rows, columns, gap: 8);
        for (int i = 0; i < rows; i++)
        {
            foreach (ref float v in q.View.RowSpan(i))
            {
                v = Bf16.ToSingle(Bf16.FromSingle(v));
            }
        }

        return q;
    }
}
