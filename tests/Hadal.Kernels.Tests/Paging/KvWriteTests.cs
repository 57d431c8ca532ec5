using Hadal.Jit;
using Hadal.Kernels.Paging;
using Hadal.Kernels.Tests.Attention;
using Hadal.Numerics;
using Hadal.TestKit;

namespace Hadal.Kernels.Tests.Paging;

public sealed class KvWriteTests
{
    [Theory]
    [InlineData(false, 16, 16)]
    [InlineData(true, 16, 16)]
    [InlineData(true, 33, 7)]
    [InlineData(false, 512, 64)]
    [InlineData(true, 1024, 1024)]
    public void Forward_ScrambledSlots_IsReferenceToTheBit(bool bf16, int first, int second)
    {
        const int Seed = 71;
        DType dtype = bf16 ? DType.Bf16 : DType.F32;
        var random = new Random(Seed);
        (int, int)[] sequences = [(5, 5), (17, 1), (130, 127)];
        using var k = TestMatrix.Random(random, 133, first, gap: 1);
        using var v = TestMatrix.Random(random, 133, second, gap: 3);
        float[] special = [float.NaN, float.PositiveInfinity, float.NegativeInfinity, -0f, float.Epsilon, float.MaxValue, 1.00390625f, 1.01171875f];
        special.AsSpan(0, Math.Min(first, special.Length)).CopyTo(k.View.RowSpan(7));
        using var expected = new TestPages(new Random(Seed), sequences, 16, first + second, dtype, fillNewRows: false);
        KvWrite.ForwardReference(k.View, v.View, expected.Batch, expected.Pages);
        foreach (int workers in (int[])[1, 2, 5])
        {
            using var pool = new WorkerPool(workers);
            using var actual = new TestPages(new Random(Seed), sequences, 16, first + second, dtype, fillNewRows: false);
            KvWrite.Forward(pool, k.View, v.View, actual.Batch, actual.Pages);
            Assert.True(expected.Bytes.SequenceEqual(actual.Bytes), $"seed {Seed}, {workers} workers");
        }
    }
}
