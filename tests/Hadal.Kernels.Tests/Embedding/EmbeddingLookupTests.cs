using Hadal.Kernels.Embedding;
using Hadal.Kernels.Tests.Weights;
using Hadal.Kernels.Weights;
using Hadal.Numerics;
using Hadal.TestKit;

namespace Hadal.Kernels.Tests.Embedding;

public sealed unsafe class EmbeddingLookupTests
{
    private static readonly int _seed = Environment.TickCount;

    [Theory]
    [InlineData(DType.Bf16, 65)]
    [InlineData(DType.F32, 1)]
    [InlineData(DType.Q4_K, 256)]
    public void Forward_AnyTokens_CopiesTheirRows(DType dtype, int columns)
    {
        using var w = new TestWeight(new Random(_seed), dtype, rows: 9, columns);
        float[] table = w.Decode();
        using GuardedBuffer tokens = GuardedBuffer.Copy<int>([8, 0, 3, 3]);
        int stride = columns + 2;
        using var y = GuardedBuffer.Of<float>((3 * stride) + columns);
        y.Span<float>().Fill(float.NaN);
        EmbeddingLookup.Forward(tokens.As<int>(), w.Matrix, new MatrixF32(y.As<float>(), 4, columns, stride));
        for (int t = 0; t < 4; t++)
        {
            TensorAssert.BitEqual(
                y.Span<float>().Slice(t * stride, columns), table.AsSpan(tokens.Span<int>()[t] * columns, columns), $"{dtype} token {t}, seed {_seed}");
        }

        Assert.True(float.IsNaN(y.Span<float>()[columns]));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(9)]
    public void Forward_TokenOutOfRange_Throws(int token)
    {
        using var w = new TestWeight(new Random(_seed), DType.F32, rows: 9, columns: 4);
        using GuardedBuffer tokens = GuardedBuffer.Copy<int>([token]);
        using var y = GuardedBuffer.Of<float>(4);
        WeightMatrix matrix = w.Matrix;
        Assert.Throws<ArgumentOutOfRangeException>(() => EmbeddingLookup.Forward(tokens.As<int>(), matrix, new MatrixF32(y.As<float>(), 1, 4, 4)));
    }
}
