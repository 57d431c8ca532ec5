using System.Runtime.Intrinsics;
using Hadal.Jit;
using Hadal.Kernels.MatMul;
using Hadal.Kernels.Tests.Weights;
using Hadal.Kernels.Vectors;
using Hadal.Kernels.Weights;
using Hadal.Numerics;
using Hadal.TestKit;

namespace Hadal.Kernels.Tests.MatMul;

public sealed unsafe class MatMulNtTests
{
    private static readonly int _seed = Environment.TickCount;

    public static TheoryData<DType, ScaleLayout> Types => new()
    {
        { DType.F32, ScaleLayout.None },
        { DType.F32, ScaleLayout.PerRow },
        { DType.F16, ScaleLayout.None },
        { DType.Bf16, ScaleLayout.None },
        { DType.Bf16, ScaleLayout.Block },
        { DType.F8E4M3, ScaleLayout.Block },
        { DType.F8E4M3, ScaleLayout.PerRow },
        { DType.F8E5M2, ScaleLayout.Block },
        { DType.I8, ScaleLayout.PerRow },
        { DType.I8, ScaleLayout.Block },
        { DType.Q8_0, ScaleLayout.None },
        { DType.Q4_0, ScaleLayout.None },
        { DType.Q4_1, ScaleLayout.None },
        { DType.Q5_0, ScaleLayout.None },
        { DType.Q5_1, ScaleLayout.None },
        { DType.Q4_K, ScaleLayout.None },
        { DType.Q5_K, ScaleLayout.None },
        { DType.Q6_K, ScaleLayout.None },
    };

    [Theory]
    [MemberData(nameof(Types))]
    public void Forward_RaggedShapes_IsCloseToReference(DType dtype, ScaleLayout layout)
    {
        var random = new Random(_seed);
        using var pool1 = new WorkerPool(1);
        using var pool2 = new WorkerPool(2);
        using var pool5 = new WorkerPool(5);
        int[] columns = dtype.BlockElements switch
        {
            256 => [256, 1280],
            32 => [32, 160, 1056],
            _ => [1, 15, 16, 17, 24, 80, 136, 160, 1040, 2049],
        };
        (int T, int N)[] shapes = [(1, 1), (1, 65), (2, 15), (3, 16), (4, 63), (5, 17), (6, 7), (7, 4), (13, 66), (33, 70)];
        int i = 0;
        foreach (int k in columns)
        {
            foreach ((int t, int n) in shapes)
            {
                WorkerPool pool = (i++ % 3) switch { 0 => pool1, 1 => pool2, _ => pool5 };
                int blockColumns = layout == ScaleLayout.Block && i % 4 == 0 ? 24 : 128;
                using var w = new TestWeight(random, dtype, n, k, layout, padBytes: i % 2 == 0 ? 0 : dtype.BlockBytes, blockRows: 6, blockColumns: blockColumns);
                Compare(pool, random, t, [w], bias: i % 2 == 0, residual: i % 3 == 0, inPlace: i % 6 == 0);
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(20)]
    public void Forward_PartsOfDifferentTypes_AreJoinedAlongN(int tokens)
    {
        var random = new Random(_seed);
        using var pool = new WorkerPool(5);
        using var q = new TestWeight(random, DType.Bf16, 67, 256);
        using var k = new TestWeight(random, DType.F8E4M3, 130, 256, ScaleLayout.Block);
        using var none = new TestWeight(random, DType.F32, 0, 256);
        using var v = new TestWeight(random, DType.Q4_K, 5, 256);
        Compare(pool, random, tokens, [none, q, k, none, v, none], bias: true, residual: true, inPlace: true);
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Forward_TokenAloneOrInABatch_IsTheSameBits(DType dtype, ScaleLayout layout)
    {
        var random = new Random(_seed);
        int k = dtype.BlockElements switch { 256 => 1280, 32 => 1312, _ => 1100 };
        const int T = 19;
        const int N = 71;
        using var one = new WorkerPool(1);
        using var five = new WorkerPool(5);
        using var w = new TestWeight(random, dtype, N, k, layout);
        using GuardedBuffer x = GuardedBuffer.Uniform(random, T * k);
        using var batched = GuardedBuffer.Of<float>(T * N);
        using var alone = GuardedBuffer.Of<float>(T * N);
        WeightMatrix matrix = w.Matrix;
        MatMulNt.Forward(five, new MatrixF32(x.As<float>(), T, k, k), [matrix], default, new MatrixF32(batched.As<float>(), T, N, N));
        for (int t = 0; t < T; t++)
        {
            MatMulNt.Forward(one, new MatrixF32(x.As<float>() + (t * k), 1, k, k), [matrix], default, new MatrixF32(alone.As<float>() + (t * N), 1, N, N));
        }

        TensorAssert.BitEqual(batched.Span<float>(), alone.Span<float>(), $"{dtype} {layout}, seed {_seed}");
    }

    [Fact]
    public void Run_EveryWidthOfThisMachine_IsCloseToReference()
    {
        var random = new Random(_seed);
        foreach (int tokens in (int[])[1, 2, 3, 11])
        {
            using var w = new TestWeight(random, DType.F8E4M3, 39, 333, ScaleLayout.Block);
            using GuardedBuffer x = GuardedBuffer.Uniform(random, tokens * 333);
            float[] expected = new float[tokens * 39];
            WeightMatrix matrix = w.Matrix;
            var xm = new MatrixF32(x.As<float>(), tokens, 333, 333);
            fixed (float* e = expected)
            {
                MatMulNt.ForwardReference(xm, [matrix], default, new MatrixF32(e, tokens, 39, 39));
            }

            using var y = GuardedBuffer.Of<float>(tokens * 39);
            var job = new RowsJob { W = matrix, X = x.As<float>(), XStride = 333, Y = y.As<float>(), YStride = 39, NumTokens = tokens };
            job.Run<Lanes128, Vector128<float>>(0, 39);
            TensorAssert.Close(y.Span<float>(), expected, 1e-4f, 1e-4f, $"portable, T = {tokens}, seed {_seed}");
            if (Lanes256.IsSupported)
            {
                y.Span<float>().Fill(float.NaN);
                job.Run<Lanes256, Vector256<float>>(0, 39);
                TensorAssert.Close(y.Span<float>(), expected, 1e-4f, 1e-4f, $"256, T = {tokens}, seed {_seed}");
            }
        }
    }

    [Fact]
    public void Forward_NaNBesideTheColumnsInUse_StaysOut()
    {
        var random = new Random(_seed);
        using var pool = new WorkerPool(2);
        const int K = 21;
        const int Stride = 40;
        foreach (int t in (int[])[1, 9])
        {
            using var w = new TestWeight(random, DType.F32, 10, K);
            using GuardedBuffer x = GuardedBuffer.Uniform(random, t * Stride);
            x.Span<float>().Fill(float.NaN);
            for (int i = 0; i < t; i++)
            {
                x.Span<float>().Slice(i * Stride, K).Fill(1);
            }

            using var y = GuardedBuffer.Of<float>(t * 10);
            WeightMatrix matrix = w.Matrix;
            MatMulNt.Forward(pool, new MatrixF32(x.As<float>(), t, K, Stride), [matrix], default, new MatrixF32(y.As<float>(), t, 10, 10));
            Assert.All(y.Span<float>().ToArray(), v => Assert.True(float.IsFinite(v)));
        }
    }

    [Fact]
    public void Forward_NoColumns_IsTheEpilogue()
    {
        using var pool = new WorkerPool(1);
        using GuardedBuffer bias = GuardedBuffer.Copy<float>([1, 2, 3, 4, 5]);
        using var y = GuardedBuffer.Of<float>(5);
        WeightMatrix w = new() { Data = null, DType = DType.F32, Rows = 5, Columns = 0, RowBytes = 0 };
        MatMulNt.Forward(pool, new MatrixF32(null, 1, 0, 0), [w], new MatMulEpilogue { Bias = bias.As<float>() }, new MatrixF32(y.As<float>(), 1, 5, 5));
        Assert.Equal([1f, 2, 3, 4, 5], y.Span<float>().ToArray());
    }

    [Fact]
    public void Forward_WrongShapes_Throws()
    {
        using var pool = new WorkerPool(1);
        using var w = new TestWeight(new Random(1), DType.F32, 4, 8);
        using var memory = GuardedBuffer.Of<float>(64);
        WeightMatrix matrix = w.Matrix;
        float* p = memory.As<float>();
        void Try(MatrixF32 x, MatrixF32 y, MatMulEpilogue epilogue = default)
            => Assert.ThrowsAny<ArgumentException>(() => MatMulNt.Forward(pool, x, [matrix], epilogue, y));
        Try(new MatrixF32(p, 1, 7, 7), new MatrixF32(p + 32, 1, 4, 4));
        Try(new MatrixF32(p, 1, 8, 8), new MatrixF32(p + 32, 1, 5, 5));
        Try(new MatrixF32(p, 2, 8, 8), new MatrixF32(p + 32, 1, 4, 4));
        Try(new MatrixF32(p, 1, 8, 8), new MatrixF32(p, 1, 4, 4));
        Try(new MatrixF32(p, 1, 8, 8), new MatrixF32(p + 32, 1, 4, 4), new MatMulEpilogue { Residual = new MatrixF32(p + 40, 1, 3, 3) });
    }

    [Fact]
    public void Forward_SteadyState_AllocatesNothing()
    {
        var random = new Random(_seed);
        using var pool = new WorkerPool(2);
        using var bf16 = new TestWeight(random, DType.Bf16, 256, 512);
        using var q4 = new TestWeight(random, DType.Q4_K, 256, 512);
        using GuardedBuffer x = GuardedBuffer.Uniform(random, 8 * 512);
        using var y = GuardedBuffer.Of<float>(8 * 512);
        WeightMatrix* parts = stackalloc WeightMatrix[] { bf16.Matrix, q4.Matrix };
        long allocated = -1;
        for (int i = 0; i < 3; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            MatMulNt.Forward(pool, new MatrixF32(x.As<float>(), 1, 512, 512), new(parts, 2), default, new MatrixF32(y.As<float>(), 1, 512, 512));
            MatMulNt.Forward(pool, new MatrixF32(x.As<float>(), 8, 512, 512), new(parts, 2), default, new MatrixF32(y.As<float>(), 8, 512, 512));
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Assert.Equal(0, allocated);
    }

    private static void Compare(WorkerPool pool, Random random, int tokens, TestWeight[] weights, bool bias, bool residual, bool inPlace)
    {
        WeightMatrix[] parts = [.. weights.Select(w => w.Matrix)];
        int k = parts[0].Columns;
        int n = parts.Sum(p => p.Rows);
        int xStride = k + 3;
        int yStride = n + 5;
        using GuardedBuffer x = GuardedBuffer.Uniform(random, ((tokens - 1) * xStride) + k);
        using GuardedBuffer b = GuardedBuffer.Uniform(random, n);
        using GuardedBuffer r = GuardedBuffer.Uniform(random, ((tokens - 1) * yStride) + n);
        using var y = GuardedBuffer.Of<float>(((tokens - 1) * yStride) + n);
        y.Span<float>().Fill(float.NaN);
        if (inPlace)
        {
            r.Span<float>().CopyTo(y.Span<float>());
        }

        float[] expected = y.Span<float>().ToArray();
        var xm = new MatrixF32(x.As<float>(), tokens, k, xStride);
        var rm = new MatrixF32(r.As<float>(), tokens, n, yStride);
        var ym = new MatrixF32(y.As<float>(), tokens, n, yStride);
        fixed (float* e = expected)
        {
            MatMulNt.ForwardReference(
                xm, parts, new MatMulEpilogue { Bias = bias ? b.As<float>() : null, Residual = residual ? rm : default }, new MatrixF32(e, tokens, n, yStride));
        }

        MatMulNt.Forward(
            pool, xm, parts, new MatMulEpilogue { Bias = bias ? b.As<float>() : null, Residual = !residual ? default : inPlace ? ym : rm }, ym);
        string context = $"{parts[0].DType} {parts[0].ScaleLayout} T = {tokens}, N = {n}, K = {k}, {pool.NumWorkers} workers, bias {bias}, residual {residual}, in place {inPlace}, seed {_seed}";

        // |w| and |x| are about 1 at most: K float32 roundings of partial sums of size sqrt(K), over 16 lanes. The padding between rows must be as it was.
        TensorAssert.Close(y.Span<float>(), expected, 2e-6f * (8 + k) / MathF.Sqrt(1 + (k / 64f)), 1e-5f, context);
        y.CheckSentinels();
    }
}
