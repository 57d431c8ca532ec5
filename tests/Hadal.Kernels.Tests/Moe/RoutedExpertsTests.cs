using Hadal.Jit;
using Hadal.Kernels.Moe;
using Hadal.Kernels.Tests.Weights;
using Hadal.Kernels.Weights;
using Hadal.Numerics;
using Hadal.TestKit;

namespace Hadal.Kernels.Tests.Moe;

public sealed unsafe class RoutedExpertsTests
{
    private static readonly int _seed = Environment.TickCount;

    [Theory]
    [InlineData(DType.F32, 1, 2, 4, 16, 24, 1)]
    [InlineData(DType.Bf16, 1, 6, 64, 128, 88, 2)]
    [InlineData(DType.Bf16, 23, 3, 8, 65, 17, 5)]
    [InlineData(DType.F8E4M3, 5, 2, 3, 160, 136, 2)]
    [InlineData(DType.I8, 40, 1, 2, 63, 15, 5)]
    [InlineData(DType.Q4_K, 9, 4, 5, 256, 256, 2)]
    [InlineData(DType.F32, 7, 1, 1, 1, 1, 2)]
    public void Forward_RandomRouting_IsCloseToReferenceAndToTokenwise(DType dtype, int tokens, int topK, int numExperts, int hidden, int inner, int numWorkers)
    {
        var random = new Random(_seed);
        using var pool = new WorkerPool(numWorkers);
        using var set = new ExpertSet(random, dtype, numExperts, hidden, inner);
        int[] ids = Route(random, tokens, topK, numExperts);
        foreach (bool inPlace in (bool[])[false, true])
        {
            float[] grouped = Run(pool, random: new Random(_seed + 1), set, ids, tokens, topK, hidden, inner, inPlace, tokenwise: false, out float[] expected);
            float[] tokenwise = Run(pool, random: new Random(_seed + 1), set, ids, tokens, topK, hidden, inner, inPlace, tokenwise: true, out _);
            string context = $"{dtype} T = {tokens}, top {topK} of {numExperts}, D = {hidden}, I = {inner}, in place {inPlace}, seed {_seed}";
            float magnitude = 1e-6f + (expected.Where(float.IsFinite).Max(MathF.Abs) * 1e-5f);
            TensorAssert.Close(grouped, expected, magnitude, 1e-4f, context);
            TensorAssert.BitEqual(tokenwise, grouped, context + " (tokenwise)");
        }
    }

    [Fact]
    public void Forward_TokenAloneOrInABatchOnAnyWorkers_IsTheSameBits()
    {
        const int T = 17;
        const int TopK = 2;
        const int D = 96;
        const int I = 40;
        var random = new Random(_seed);
        using var one = new WorkerPool(1);
        using var five = new WorkerPool(5);
        using var set = new ExpertSet(random, DType.Bf16, 3, D, I);
        int[] ids = Route(random, T, TopK, 3);
        using GuardedBuffer x = GuardedBuffer.Uniform(random, T * D);
        using GuardedBuffer weights = GuardedBuffer.Uniform(random, T * TopK);
        using GuardedBuffer idMemory = GuardedBuffer.Copy<int>(ids);
        using var scratch = GuardedBuffer.Of<float>((nint)RoutedExperts.ScratchFloats(T, TopK, D, I));
        using var batched = GuardedBuffer.Of<float>(T * D);
        using var alone = GuardedBuffer.Of<float>(T * D);
        RoutedExperts.Forward(
            five, new MatrixF32(x.As<float>(), T, D, D), idMemory.As<int>(), new MatrixF32(weights.As<float>(), T, TopK, TopK), set.Weights, default, scratch.As<float>(), new MatrixF32(batched.As<float>(), T, D, D));
        for (int t = 0; t < T; t++)
        {
            RoutedExperts.Forward(
                one, new MatrixF32(x.As<float>() + (t * D), 1, D, D), idMemory.As<int>() + (t * TopK), new MatrixF32(weights.As<float>() + (t * TopK), 1, TopK, TopK), set.Weights, default, scratch.As<float>(), new MatrixF32(alone.As<float>() + (t * D), 1, D, D));
        }

        TensorAssert.BitEqual(batched.Span<float>(), alone.Span<float>(), $"seed {_seed}");
    }

    [Fact]
    public void Forward_UnknownExpert_Throws()
    {
        using var pool = new WorkerPool(1);
        using var set = new ExpertSet(new Random(_seed), DType.F32, 2, 4, 4);
        using var memory = GuardedBuffer.Of<float>(256);
        float* p = memory.As<float>();
        using GuardedBuffer ids = GuardedBuffer.Copy<int>([2]);
        ExpertWeights experts = set.Weights;
        Assert.Throws<ArgumentOutOfRangeException>(() => RoutedExperts.Forward(
            pool, new MatrixF32(p, 1, 4, 4), ids.As<int>(), new MatrixF32(p + 8, 1, 1, 1), experts, default, p + 16, new MatrixF32(p + 12, 1, 4, 4)));
    }

    [Fact]
    public void Forward_SteadyState_AllocatesNothing()
    {
        var random = new Random(_seed);
        using var pool = new WorkerPool(2);
        using var set = new ExpertSet(random, DType.Bf16, 8, 256, 128);
        using GuardedBuffer x = GuardedBuffer.Uniform(random, 256);
        using GuardedBuffer weights = GuardedBuffer.Uniform(random, 4);
        using GuardedBuffer ids = GuardedBuffer.Copy<int>([7, 0, 3, 1]);
        using var scratch = GuardedBuffer.Of<float>((nint)RoutedExperts.ScratchFloats(1, 4, 256, 128));
        using var y = GuardedBuffer.Of<float>(256);
        long allocated = -1;
        for (int i = 0; i < 3; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            RoutedExperts.Forward(
                pool, new MatrixF32(x.As<float>(), 1, 256, 256), ids.As<int>(), new MatrixF32(weights.As<float>(), 1, 4, 4), set.Weights, default, scratch.As<float>(), new MatrixF32(y.As<float>(), 1, 256, 256));
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Assert.Equal(0, allocated);
    }

    private static float[] Run(WorkerPool pool, Random random, ExpertSet set, int[] ids, int tokens, int topK, int hidden, int inner, bool inPlace, bool tokenwise, out float[] expected)
    {
        int stride = hidden + 3;
        int length = ((tokens - 1) * stride) + hidden;
        using GuardedBuffer x = GuardedBuffer.Uniform(random, length);
        using GuardedBuffer weights = GuardedBuffer.Uniform(random, tokens * topK);
        using GuardedBuffer residual = GuardedBuffer.Uniform(random, length);
        using GuardedBuffer idMemory = GuardedBuffer.Copy<int>(ids);
        using var scratch = GuardedBuffer.Of<float>((nint)RoutedExperts.ScratchFloats(tokens, topK, hidden, inner));
        scratch.Span<float>().Fill(float.NaN);
        using var y = GuardedBuffer.Of<float>(length);
        y.Span<float>().Fill(float.NaN);
        if (inPlace)
        {
            residual.Span<float>().CopyTo(y.Span<float>());
        }

        expected = y.Span<float>().ToArray();
        var xm = new MatrixF32(x.As<float>(), tokens, hidden, stride);
        var wm = new MatrixF32(weights.As<float>(), tokens, topK, topK);
        var ym = new MatrixF32(y.As<float>(), tokens, hidden, stride);
        MatrixF32 rm = inPlace ? ym : tokens % 2 == 0 ? default : new MatrixF32(residual.As<float>(), tokens, hidden, stride);
        fixed (float* e = expected)
        {
            RoutedExperts.ForwardReference(xm, ids: idMemory.As<int>(), wm, set.Weights, rm, new MatrixF32(e, tokens, hidden, stride));
        }

        if (tokenwise)
        {
            RoutedExperts.ForwardTokenwise(pool, xm, idMemory.As<int>(), wm, set.Weights, rm, scratch.As<float>(), ym);
        }
        else
        {
            RoutedExperts.Forward(pool, xm, idMemory.As<int>(), wm, set.Weights, rm, scratch.As<float>(), ym);
        }

        scratch.CheckSentinels();
        y.CheckSentinels();
        return y.Span<float>().ToArray();
    }

    private static int[] Route(Random random, int tokens, int topK, int numExperts)
    {
        int[] ids = new int[tokens * topK];
        int[] all = [.. Enumerable.Range(0, numExperts)];
        for (int t = 0; t < tokens; t++)
        {
            random.Shuffle(all);
            all.AsSpan(0, topK).CopyTo(ids.AsSpan(t * topK));
        }

        return ids;
    }

    private sealed class ExpertSet : IDisposable
    {
        private readonly TestWeight[] _all;

        public ExpertSet(Random random, DType dtype, int numExperts, int hidden, int inner)
        {
            ScaleLayout layout = dtype == DType.F8E4M3 ? ScaleLayout.Block : dtype == DType.I8 ? ScaleLayout.PerRow : ScaleLayout.None;
            TestWeight[] Make(int rows, int columns) => [.. Enumerable.Range(0, numExperts).Select(_ => new TestWeight(random, dtype, rows, columns, layout))];
            TestWeight[] gate = Make(inner, hidden);
            TestWeight[] up = Make(inner, hidden);
            TestWeight[] down = Make(hidden, inner);
            _all = [.. gate, .. up, .. down];
            Weights = new ExpertWeights([.. gate.Select(w => w.Matrix)], [.. up.Select(w => w.Matrix)], [.. down.Select(w => w.Matrix)]);
        }

        public ExpertWeights Weights { get; }

        public void Dispose()
        {
            foreach (TestWeight w in _all)
            {
                w.Dispose();
            }
        }
    }
}
