using System.Runtime.Intrinsics;
using Hadal.Kernels.Vectors;

namespace Hadal.Kernels.Tests.Vectors;

/// <summary>Every width this machine has, in one run.</summary>
public sealed unsafe class VectorMathTests
{
    [Fact]
    public void Exp_WholeRange_IsWithinTwoUlp() => OnEveryWidth(default(ExpCheck));

    [Fact]
    public void Exp2NonPositive_WholeRange_IsWithinTwoUlp() => OnEveryWidth(default(Exp2Check));

    [Fact]
    public void OuterProductAndRowDots_RaggedShapes_AreProducts() => OnEveryWidth(default(ProductCheck));

    private static void OnEveryWidth<T>(T check)
        where T : struct, ICheck
    {
        if (Lanes512.IsSupported)
        {
            check.Run<Lanes512, Vector512<float>>();
        }

        if (Lanes256.IsSupported)
        {
            check.Run<Lanes256, Vector256<float>>();
        }

        check.Run<Lanes128, Vector128<float>>();
    }

    private interface ICheck
    {
        void Run<TLanes, TV>()
            where TLanes : struct, ILanes<TV>
            where TV : unmanaged;
    }

    private static void AssertUlps(float x, double exact, float actual)
    {
        float nearest = (float)exact;
        if (nearest < 1.17549435e-38f)
        {
            Assert.True(actual <= 1.2e-38f, $"f({x:R}) = {actual:R}, expected at most the smallest normal");
            return;
        }

        double ulp = MathF.BitIncrement(nearest) - (double)nearest;
        Assert.True(float.IsInfinity(nearest) ? float.IsInfinity(actual) : Math.Abs(actual - exact) <= 2 * ulp, $"f({x:R}) = {actual:R}, expected {exact:R}");
    }

    private struct ExpCheck : ICheck
    {
        public readonly void Run<TLanes, TV>()
            where TLanes : struct, ILanes<TV>
            where TV : unmanaged
        {
            var random = new Random(1);
            float* y = stackalloc float[16];
            for (int i = 0; i < 60_000; i++)
            {
                float x = (float)((random.NextDouble() * 178) - 89);
                TLanes.Store(y, VectorMath<TLanes, TV>.Exp(TLanes.Broadcast(x)));
                AssertUlps(x, Math.Exp(x), y[TLanes.Count - 1]);
            }

            foreach ((float x, float e) in (ReadOnlySpan<(float, float)>)[(0, 1), (float.NegativeInfinity, 0), (-200, 0), (float.PositiveInfinity, float.PositiveInfinity), (100, float.PositiveInfinity), (float.NaN, float.NaN)])
            {
                TLanes.Store(y, VectorMath<TLanes, TV>.Exp(TLanes.Broadcast(x)));
                Assert.Equal(e, y[0]);
            }
        }
    }

    private struct Exp2Check : ICheck
    {
        public readonly void Run<TLanes, TV>()
            where TLanes : struct, ILanes<TV>
            where TV : unmanaged
        {
            var random = new Random(2);
            float* y = stackalloc float[16];
            for (int i = 0; i < 60_000; i++)
            {
                float x = (float)(random.NextDouble() * -126);
                TLanes.Store(y, VectorMath<TLanes, TV>.Exp2NonPositive(TLanes.Broadcast(x)));
                AssertUlps(x, Math.Pow(2, x), y[TLanes.Count - 1]);
            }

            foreach ((float x, float e) in (ReadOnlySpan<(float, float)>)[(0, 1), (-1, 0.5f), (-126, 1.17549435e-38f), (-127, 0), (float.NegativeInfinity, 0), (float.NaN, float.NaN)])
            {
                TLanes.Store(y, VectorMath<TLanes, TV>.Exp2NonPositive(TLanes.Broadcast(x)));
                Assert.Equal(e, y[0]);
            }
        }
    }

    private struct ProductCheck : ICheck
    {
        public readonly void Run<TLanes, TV>()
            where TLanes : struct, ILanes<TV>
            where TV : unmanaged
        {
            var random = new Random(3);
            foreach ((int m, int n, int k) in (ReadOnlySpan<(int, int, int)>)[(1, 1, 1), (3, 15, 7), (4, 16, 64), (8, 33, 5), (15, 70, 17), (64, 64, 16)])
            {
                float[] a = Values(random, m * k);
                float[] b = Values(random, (k * Tile.Pad(n)) + Tile.Lanes);
                float[] c = Values(random, m * (n + 1));
                float[] before = [.. c];
                fixed (float* pa = a, pb = b, pc = c)
                {
                    OuterProduct<TLanes, TV>.Multiply(m, n, k, pa, 1, m, pb, Tile.Pad(n), pc, n + 1, accumulate: true);
                    for (int i = 0; i < m; i++)
                    {
                        for (int j = 0; j < n; j++)
                        {
                            double sum = before[(i * (n + 1)) + j];
                            for (int d = 0; d < k; d++)
                            {
                                sum += (double)a[i + (d * m)] * b[(d * Tile.Pad(n)) + j];
                            }

                            Assert.Equal(sum, c[(i * (n + 1)) + j], 1e-5);
                        }

                        Assert.Equal(before[(i * (n + 1)) + n], c[(i * (n + 1)) + n]);
                    }
                }

                int depth = Tile.Pad(k);
                float[] x = Values(random, m * depth);
                float[] y = Values(random, n * depth);
                fixed (float* px = x, py = y, pc = c)
                {
                    RowDots<TLanes, TV>.Multiply(m, n, depth, px, depth, py, depth, pc, n + 1);
                    for (int i = 0; i < m; i++)
                    {
                        for (int j = 0; j < n; j++)
                        {
                            double sum = 0;
                            for (int d = 0; d < depth; d++)
                            {
                                sum += (double)x[(i * depth) + d] * y[(j * depth) + d];
                            }

                            Assert.Equal(sum, c[(i * (n + 1)) + j], 1e-5);
                        }
                    }
                }
            }
        }

        private static float[] Values(Random random, int count)
        {
            float[] values = new float[count];
            for (int i = 0; i < count; i++)
            {
                values[i] = (float)((random.NextDouble() * 2) - 1);
            }

            return values;
        }
    }
}
