using Hadal.Jit;
using Hadal.Kernels.Moe;
using Hadal.TestKit;

namespace Hadal.Kernels.Tests.Moe;

public sealed unsafe class TopKRouterTests
{
    private const int Seed = 81;

    public static TheoryData<int, int, bool, int, int, bool, bool, bool> Configs => new()
    {
        // E, TopK, sigmoid, groups, groups used, top two, norm, bias
        { 256, 8, true, 8, 4, true, true, true },
        { 160, 6, false, 8, 3, false, false, false },
        { 64, 6, false, 1, 1, false, false, false },
        { 8, 2, true, 4, 2, true, true, true },
        { 5, 5, false, 1, 1, false, true, false },
        { 17, 1, true, 1, 1, false, true, true },
        { 384, 8, true, 1, 1, false, true, true },
    };

    [Theory]
    [MemberData(nameof(Configs))]
    public void Forward_RandomLogits_IsReference(int e, int topK, bool sigmoid, int groups, int used, bool topTwo, bool norm, bool withBias)
    {
        var config = new RouterConfig(e, topK, sigmoid, groups, used, topTwo, norm, 2.5f);
        var random = new Random(Seed + e);
        foreach (int t in (int[])[1, 15, 65])
        {
            using var logits = TestMatrix.Random(random, t, e, gap: 3, scale: 2);
            using var bias = TestMatrix.Random(random, 1, e, scale: 0.2);
            Span<float> b = withBias ? bias.View.RowSpan(0) : [];
            Check(logits, b, config);
        }
    }

    [Fact]
    public void Forward_EqualScores_LowerIdWins()
    {
        var config = new RouterConfig(64, 6, false, 1, 1, false, false, 1);
        using var logits = new TestMatrix(3, 64);
        for (int t = 0; t < 3; t++)
        {
            logits.View.RowSpan(t).Fill(t);
        }

        int* ids = stackalloc int[18];
        using var weights = new TestMatrix(3, 6);
        using var pool = new WorkerPool(2);
        TopKRouter.Forward(pool, logits.View, [], config, ids, weights.View);
        for (int t = 0; t < 3; t++)
        {
            Assert.Equal([0, 1, 2, 3, 4, 5], new Span<int>(ids + (t * 6), 6).ToArray());
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Forward_NaNAndInfiniteLogits_IsReference(bool sigmoid)
    {
        var config = new RouterConfig(32, 4, sigmoid, 4, 2, true, true, 1);
        using var logits = TestMatrix.Random(new Random(Seed), 4, 32);
        logits.View.RowSpan(0).Fill(float.NaN);
        logits.View.RowSpan(1)[3] = float.NaN;
        logits.View.RowSpan(2)[5] = float.NegativeInfinity;
        logits.View.RowSpan(3)[7] = 1e4f;
        Check(logits, [], config);
    }

    private static void Check(TestMatrix logits, ReadOnlySpan<float> bias, RouterConfig config)
    {
        int t = logits.View.Rows;
        using var expected = new TestMatrix(t, config.TopK);
        int[] expectedIds = new int[t * config.TopK];
        fixed (int* p = expectedIds)
        {
            TopKRouter.ForwardReference(logits.View, bias, config, p, expected.View);
        }

        foreach (int workers in (int[])[1, 2, 5])
        {
            using var pool = new WorkerPool(workers);
            using var weights = new TestMatrix(t, config.TopK, gap: 1);
            using var ids = new GuardedBuffer((nint)t * config.TopK * sizeof(int));
            TopKRouter.Forward(pool, logits.View, bias, config, (int*)ids.Pointer, weights.View);
            Assert.Equal(expectedIds, new Span<int>(ids.Pointer, t * config.TopK).ToArray());
            TestMatrix.AssertClose(expected, weights, 2e-6, $"seed {Seed}, {workers} workers");
        }
    }
}
