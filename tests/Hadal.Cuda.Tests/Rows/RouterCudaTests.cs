using Hadal.Kernels;
using Hadal.Kernels.Cuda;
using Hadal.Kernels.Moe;
using Hadal.Numerics;
using Hadal.TestKit;

namespace Hadal.Cuda.Tests.Rows;

/// <summary>Router, order by expert and combine against the CPU's reference and plain loops.</summary>
public sealed unsafe class RouterCudaTests(Gpu gpu)
{
    private static readonly RouterConfig[] _configs =
    [
        new(64, 6, false, 1, 1, false, false, 1),        // V2-Lite
        new(160, 6, false, 8, 3, false, false, 16),      // V2
        new(256, 8, true, 8, 4, true, true, 2.5f),       // V3
        new(16, 4, true, 4, 2, true, true, 2),
        new(30, 30, false, 5, 5, true, true, 1),         // groups of 6
        new(384, 8, true, 1, 1, true, true, 2.8f),
        new(512, 40, false, 1, 1, false, true, 1),
    ];

    [Theory, MemberData(nameof(Gpu.Targets), MemberType = typeof(Gpu))]
    public void Router_AsTheReference_AndPairsInOrder(CudaTarget target)
    {
        var random = new Random(20);
        foreach (RouterConfig config in _configs)
        {
            foreach (int tokens in (int[])[1, 3, 16, 100, 300])
            {
                // Whole numbers: ties everywhere, and none that rounding could break.
                Check(target, random, config, tokens, whole: tokens == 3);
            }
        }
    }

    [Theory, MemberData(nameof(Gpu.Targets), MemberType = typeof(Gpu))]
    public void Router_OfNaN_GivesIdsOfExperts(CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream s = gpu.Context.NewStream();
        RouterConfig config = _configs[2];
        float[] values = new float[3 * 256];
        TestMatrix.Fill(new Random(1), values);
        values.AsSpan(256, 256).Fill(float.NaN);
        values.AsSpan(512, 256).Fill(float.NegativeInfinity);
        using var logits = DeviceRows.Of(gpu, s, DType.F32, 3, 256, values);
        using DeviceBuffer ids = gpu.Poisoned<int>(s, 24);
        using DeviceBuffer weights = gpu.Poisoned<float>(s, 24);
        TopKRouterCuda.Run(kernels, s, logits.Matrix, 0, config, ids.Pointer, weights.Pointer);
        int[] found = gpu.Download<int>(s, ids, 24);
        Assert.All(found, id => Assert.InRange(id, 0, 255));
        Assert.All(found[8..16], id => Assert.Equal(0, id));
        Assert.All(gpu.Download<float>(s, weights, 24)[8..16], w => Assert.True(float.IsNaN(w)));
    }

    [Theory, MemberData(nameof(Gpu.Targets), MemberType = typeof(Gpu))]
    public void Combine_InOrderOfSlots(CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream s = gpu.Context.NewStream();
        var random = new Random(21);
        foreach ((int tokens, int width, int topK, DType rowType) in ((int, int, int, DType)[])[(1, 2048, 6, DType.Bf16), (5, 7168, 8, DType.F32), (3, 100, 3, DType.Bf16), (4, 8192, 13, DType.Bf16)])
        {
            int pairs = tokens * topK;
            using var rows = DeviceRows.Random(gpu, s, random, rowType, pairs, width);
            using var shared = DeviceRows.Random(gpu, s, random, DType.Bf16, tokens, width);
            using var residual = DeviceRows.Random(gpu, s, random, DType.F32, tokens, width);
            int[] at = [.. Enumerable.Range(0, pairs)];
            random.Shuffle(at);
            at[0] = -1;
            float[] w = new float[pairs];
            TestMatrix.Fill(random, w);
            using DeviceBuffer positions = gpu.Upload<int>(s, at);
            using DeviceBuffer weights = gpu.Upload<float>(s, w);
            using var y = DeviceRows.Poisoned(gpu, s, DType.F32, tokens, width);
            MoeCombineCuda.Run(kernels, s, rows.Matrix, positions.Pointer, weights.Pointer, topK, shared.Matrix, residual.Matrix, y.Matrix);
            float[] expected = new float[tokens * width];
            for (int i = 0; i < expected.Length; i++)
            {
                double sum = 0;
                for (int k = 0; k < topK; k++)
                {
                    int pair = (i / width * topK) + k;
                    sum += at[pair] < 0 ? 0 : (double)w[pair] * rows.Values[(at[pair] * width) + (i % width)];
                }

                expected[i] = (float)(sum + shared.Values[i] + residual.Values[i]);
            }

            TensorAssert.Close(y.Download(), expected, 1e-5f, 2e-6f, $"{tokens} x {width}");
            if (width % 8 == 0)
            {
                float[] nw = new float[width];
                TestMatrix.Fill(random, nw);
                using DeviceBuffer norm = gpu.Upload<float>(s, nw);
                using var sum = DeviceRows.Poisoned(gpu, s, DType.F32, tokens, width);
                using var normed = DeviceRows.Poisoned(gpu, s, DType.Bf16, tokens, width);
                MoeCombineCuda.RunNorm(kernels, s, rows.Matrix, positions.Pointer, weights.Pointer, topK, shared.Matrix, residual.Matrix, sum.Matrix, norm.Pointer, 1e-6f, normed.Matrix);
                TensorAssert.BitEqual(sum.Download(), y.Download(), "the sum beside the norm");
                var m = new float[expected.Length];
                fixed (float* from = expected, to = m)
                {
                    Kernels.Norm.RmsNorm.ForwardReference(new MatrixF32(from, tokens, width, width), nw, 1e-6f, new MatrixF32(to, tokens, width, width));
                }

                TensorAssert.Close(normed.Download(), m, 1e-5f, 1f / 250, $"norm {width}");
            }
        }
    }

    private void Check(CudaTarget target, Random random, in RouterConfig config, int tokens, bool whole)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream s = gpu.Context.NewStream();
        int e = config.NumExperts, topK = config.TopK, pairs = tokens * topK;
        float[] values = new float[tokens * e];
        TestMatrix.Fill(random, values);
        if (whole)
        {
            values = Array.ConvertAll(values, MathF.Round);
        }

        float[] bias = new float[e];
        TestMatrix.Fill(random, bias, whole ? 0 : 0.1);
        long[] slots = [.. Enumerable.Range(0, tokens).Select(t => tokens >= 100 && t % 7 == 3 ? -1L : t)];
        using var logits = DeviceRows.Of(gpu, s, DType.F32, tokens, e, values);
        using DeviceBuffer onBias = gpu.Upload<float>(s, bias);
        using DeviceBuffer onSlots = gpu.Upload<long>(s, slots);
        using DeviceBuffer ids = gpu.Poisoned<int>(s, pairs);
        using DeviceBuffer weights = gpu.Poisoned<float>(s, pairs);
        using DeviceBuffer sorted = gpu.Poisoned<int>(s, pairs);
        using DeviceBuffer positions = gpu.Poisoned<int>(s, pairs);
        using DeviceBuffer offsets = gpu.Poisoned<int>(s, e + 1);
        const int tileRows = 16;
        int maxTiles = ExpertOrder.MaxTiles(pairs, e, tileRows);
        using DeviceBuffer tiles = gpu.Poisoned<int>(s, 2 * maxTiles);
        using DeviceBuffer numTiles = gpu.Poisoned<int>(s, 1);
        using DeviceBuffer workspace = gpu.Poisoned<byte>(s, Math.Max(1, TopKRouterCuda.WorkspaceBytes(tokens, config)));
        var order = new ExpertOrder(sorted.Pointer, positions.Pointer, offsets.Pointer, tiles.Pointer, numTiles.Pointer, tileRows, workspace.Pointer);
        nint correction = config.Sigmoid ? onBias.Pointer : 0;
        TopKRouterCuda.RunSorted(kernels, s, logits.Matrix, correction, config, ids.Pointer, weights.Pointer, onSlots.Pointer, order);
        int[] found = gpu.Download<int>(s, ids, pairs);
        float[] foundWeights = gpu.Download<float>(s, weights, pairs);
        string context = $"{config}, {tokens} tokens";

        int[] expected = new int[pairs];
        float[] expectedWeights = new float[pairs];
        fixed (float* l = values, w = expectedWeights)
        fixed (int* i = expected)
        {
            TopKRouter.ForwardReference(new MatrixF32(l, tokens, e, e), config.Sigmoid ? bias : default, config, i, new MatrixF32(w, tokens, topK, topK));
        }

        int differ = 0;
        for (int t = 0; t < tokens; t++)
        {
            if (!found.AsSpan(t * topK, topK).SequenceEqual(expected.AsSpan(t * topK, topK)))
            {
                differ++; // A near tie may fall either way; an exact one may not.
                continue;
            }

            TensorAssert.Close(foundWeights.AsSpan(t * topK, topK), expectedWeights.AsSpan(t * topK, topK), 1e-9f, 3e-6f, context);
        }

        Assert.True(differ <= (whole ? 0 : 1), $"{differ} tokens chose otherwise ({context})");

        // Stable, by expert, without the padded tokens; from the card's own choice.
        int[] live = [.. Enumerable.Range(0, pairs).Where(p => slots[p / topK] >= 0).OrderBy(p => found[p])];
        Assert.Equal(live, gpu.Download<int>(s, sorted, live.Length));
        int[] at = new int[pairs];
        Array.Fill(at, -1);
        for (int r = 0; r < live.Length; r++)
        {
            at[live[r]] = r;
        }

        Assert.Equal(at, gpu.Download<int>(s, positions, pairs));
        int[] begins = [.. Enumerable.Range(0, e + 1).Select(x => live.Count(p => found[p] < x))];
        Assert.Equal(begins, gpu.Download<int>(s, offsets, e + 1));
        int[] list = [.. Enumerable.Range(0, e).SelectMany(x => Enumerable.Range(0, (begins[x + 1] - begins[x] + tileRows - 1) / tileRows).SelectMany(n => (int[])[x, begins[x] + (n * tileRows)]))];
        Assert.Equal(list.Length / 2, gpu.Download<int>(s, numTiles, 1)[0]);
        Assert.Equal([.. list, .. Enumerable.Repeat((int[])[-1, 0], maxTiles - (list.Length / 2)).SelectMany(x => x)], gpu.Download<int>(s, tiles, 2 * maxTiles));
    }
}
