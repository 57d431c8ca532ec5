using Hadal.Jit;
using Hadal.Kernels.Norm;
using Hadal.TestKit;

namespace Hadal.Kernels.Tests.Norm;

public sealed class RmsNormTests
{
    private const int Seed = 41;

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(1, 1, 7168)]
    [InlineData(3, 1, 15)]
    [InlineData(16, 2, 63)]
    [InlineData(17, 7, 65)]
    [InlineData(65, 1, 577)]
    [InlineData(40, 28, 128)]
    public void Forward_AnyShape_IsReference(int t, int groups, int d)
    {
        var random = new Random(Seed + d);
        using var x = TestMatrix.Random(random, t, groups * d, gap: 3);
        x.View.RowSpan(t - 1)[0] = 3e6f;
        using var w = TestMatrix.Random(random, 1, d);
        using var expected = new TestMatrix(t, groups * d);
        RmsNorm.ForwardReference(x.View, w.View.RowSpan(0), 1e-6f, expected.View);
        foreach (int workers in (int[])[1, 2, 5])
        {
            using var pool = new WorkerPool(workers);
            using var y = new TestMatrix(t, groups * d, gap: 1);
            RmsNorm.Forward(pool, x.View, w.View.RowSpan(0), 1e-6f, y.View);
            TestMatrix.AssertClose(expected, y, 2e-6, $"seed {Seed}, {workers} workers");
            y.CopyFrom(x);
            RmsNorm.Forward(pool, y.View, w.View.RowSpan(0), 1e-6f, y.View);
            TestMatrix.AssertClose(expected, y, 2e-6, $"seed {Seed}, in place");
        }
    }

    [Theory]
    [InlineData(1, 2048)]
    [InlineData(17, 577)]
    [InlineData(65, 1536)]
    public void AddForward_SumOverResidual_IsReference(int t, int d)
    {
        var random = new Random(Seed + d);
        using var x = TestMatrix.Random(random, t, d, gap: 3);
        using var residual = TestMatrix.Random(random, t, d, gap: 2);
        using var w = TestMatrix.Random(random, 1, d);
        using var expectedSum = new TestMatrix(t, d);
        using var expected = new TestMatrix(t, d);
        RmsNorm.AddForwardReference(x.View, residual.View, w.View.RowSpan(0), 1e-6f, expectedSum.View, expected.View);
        foreach (int workers in (int[])[1, 2, 5])
        {
            using var pool = new WorkerPool(workers);
            using var sum = new TestMatrix(t, d, gap: 1);
            sum.CopyFrom(residual);
            using var y = new TestMatrix(t, d, gap: 1);
            RmsNorm.AddForward(pool, x.View, sum.View, w.View.RowSpan(0), 1e-6f, sum.View, y.View);
            TestMatrix.AssertSameBits(expectedSum, sum, $"seed {Seed}");
            TestMatrix.AssertClose(expected, y, 2e-6, $"seed {Seed}, {workers} workers");
        }
    }
}
