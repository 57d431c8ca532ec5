using Hadal.Jit;
using Hadal.Kernels.Activation;
using Hadal.TestKit;

namespace Hadal.Kernels.Tests.Activation;

public sealed class SiluTests
{
    private const int Seed = 51;

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 40000)]
    [InlineData(17, 63)]
    [InlineData(65, 2065)]
    public void Forward_AnyShape_IsReferenceWithinFourUlp(int t, int n)
    {
        var random = new Random(Seed + n);
        using var gate = TestMatrix.Random(random, t, n, gap: 3, scale: 6);
        using var up = TestMatrix.Random(random, t, n, gap: 2);
        using var expected = new TestMatrix(t, n);
        using var expectedMul = new TestMatrix(t, n);
        Silu.ForwardReference(gate.View, expected.View);
        Silu.MulForwardReference(gate.View, up.View, expectedMul.View);
        foreach (int workers in (int[])[1, 2, 5])
        {
            using var pool = new WorkerPool(workers);
            using var y = new TestMatrix(t, n, gap: 1);
            Silu.Forward(pool, gate.View, y.View);
            AssertUlps(expected, y, 4);
            y.CopyFrom(gate);
            Silu.MulForward(pool, y.View, up.View, y.View);
            AssertUlps(expectedMul, y, 5);
        }
    }

    [Fact]
    public void Forward_SpecialValues_StayWhatTheyAre()
    {
        using var x = new TestMatrix(1, 9);
        float[] values = [0, -0f, float.PositiveInfinity, float.NaN, -1e4f, 1e4f, -88, 88.8f, float.Epsilon];
        values.CopyTo(x.View.RowSpan(0));
        using var y = new TestMatrix(1, 9);
        using var pool = new WorkerPool(1);
        Silu.Forward(pool, x.View, y.View);
        Assert.Equal([0, -0f, float.PositiveInfinity, float.NaN, 0, 1e4f], y.View.RowSpan(0)[..6].ToArray());
        Assert.Equal(-88 / (1 + Math.Exp(88)), y.View.RowSpan(0)[6], 1e-40);
        Assert.Equal(88.8f, y.View.RowSpan(0)[7]);
    }

    private static void AssertUlps(TestMatrix expected, TestMatrix actual, int maxUlps)
    {
        for (int r = 0; r < expected.View.Rows; r++)
        {
            for (int i = 0; i < expected.View.Columns; i++)
            {
                float e = expected.View.RowSpan(r)[i];
                float a = actual.View.RowSpan(r)[i];
                Assert.True(Math.Abs(a - (double)e) <= maxUlps * (double)(MathF.BitIncrement(MathF.Abs(e)) - MathF.Abs(e)), $"[{r}, {i}]: expected {e:R}, got {a:R} (seed {Seed})");
            }
        }
    }
}
