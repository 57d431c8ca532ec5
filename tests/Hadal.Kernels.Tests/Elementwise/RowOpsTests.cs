using Hadal.Jit;
using Hadal.Kernels.Elementwise;
using Hadal.TestKit;

namespace Hadal.Kernels.Tests.Elementwise;

public sealed unsafe class RowOpsTests
{
    private const int Seed = 61;

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 70001)]
    [InlineData(17, 15)]
    [InlineData(65, 2049)]
    public void AllOps_AnyShape_AreReferenceToTheBit(int t, int n)
    {
        var random = new Random(Seed + n);
        using var a = TestMatrix.Random(random, t, n, gap: 3);
        using var b = TestMatrix.Random(random, t, n, gap: 2);
        using var bias = TestMatrix.Random(random, 1, n);
        using var sum = new TestMatrix(t, n);
        using var product = new TestMatrix(t, n);
        using var biased = new TestMatrix(t, n);
        RowOps.AddReference(a.View, b.View, sum.View);
        RowOps.MulReference(a.View, b.View, product.View);
        RowOps.AddBiasReference(a.View, bias.View.RowSpan(0), biased.View);
        foreach (int workers in (int[])[1, 2, 5])
        {
            using var pool = new WorkerPool(workers);
            using var y = new TestMatrix(t, n, gap: 1);
            RowOps.Add(pool, a.View, b.View, y.View);
            TestMatrix.AssertSameBits(sum, y, "add");
            y.CopyFrom(a);
            RowOps.Mul(pool, y.View, b.View, y.View);
            TestMatrix.AssertSameBits(product, y, "mul");
            RowOps.AddBias(pool, a.View, bias.View.RowSpan(0), y.View);
            TestMatrix.AssertSameBits(biased, y, "bias");
            int[] rows = [.. Enumerable.Range(0, t).Select(i => (i * 7) % t)];
            fixed (int* p = rows)
            {
                RowOps.GatherRows(pool, a.View, p, y.View);
            }

            for (int i = 0; i < t; i++)
            {
                Assert.True(a.View.RowSpan(rows[i]).SequenceEqual(y.View.RowSpan(i)));
            }
        }
    }

    [Fact]
    public void Add_ColumnsDiffer_IsRefused()
    {
        using var a = new TestMatrix(2, 8);
        using var b = new TestMatrix(2, 9);
        using var pool = new WorkerPool(1);
        Assert.Throws<ArgumentOutOfRangeException>(() => RowOps.Add(pool, a.View, b.View, a.View));
    }
}
