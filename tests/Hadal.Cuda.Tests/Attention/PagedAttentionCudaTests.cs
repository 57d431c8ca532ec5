using Hadal.Kernels;
using Hadal.Kernels.Attention;
using Hadal.Kernels.Cuda;
using Hadal.Kernels.Paging;
using Hadal.Numerics;

namespace Hadal.Cuda.Tests.Attention;

public sealed unsafe class PagedAttentionCudaTests(Gpu gpu)
{
    // Queries, weights and outputs are bf16: 2^-9 each at most; 2.4e-3 was the most seen.
    private const double Tolerance = 5e-3;

    public static TheoryData<CudaTarget, int, int, int, bool> Shapes { get; } = new(
        from target in new[] { CudaTarget.Sm80, CudaTarget.Sm90a }
        from shape in new[]
        {
            (28, 4, 128, false), (28, 4, 128, true), (8, 8, 128, false), (14, 2, 64, false), (14, 2, 64, true), (6, 2, 8, false), (4, 2, 16, true), (12, 3, 80, false), (4, 1, 256, true), (40, 2, 64, false),
            (4, 2, 20, false), (4, 2, 8, true), (2, 1, 264, false),
        }
        select (target, shape.Item1, shape.Item2, shape.Item3, shape.Item4));

    [Theory, MemberData(nameof(Shapes))]
    public void Run_RaggedSteps_AsTheReference(CudaTarget target, int numHeads, int numKvHeads, int headDim, bool e4m3)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream stream = gpu.Context.NewStream();
        foreach (int seed in new[] { 1, 2 })
        {
            var random = new Random(seed + (headDim * 10));
            (int[] tokens, int[] contexts) = PagedCase.Draw(random, 5);
            DType type = e4m3 ? DType.F8E4M3 : DType.Bf16;
            using var paged = new PagedCase(gpu, stream, random, tokens, contexts, seed == 1 ? 16 : 5, 2 * numKvHeads * headDim, type);
            float[] q = PagedCase.Values(random, paged.NumTokens * numHeads * headDim);
            ushort[] o = Run(kernels, stream, paged, q, numHeads, numKvHeads, headDim, type, deterministic: seed == 2);
            Assert.InRange(paged.Error(o, (numHeads * headDim) + 8, Reference(paged, q, numHeads, numKvHeads, headDim), numHeads * headDim), 0, Tolerance);
        }
    }

    [Theory, MemberData(nameof(Gpu.Targets), MemberType = typeof(Gpu))]
    public void Run_AloneAndInABatch_GivesTheSameBits(CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream stream = gpu.Context.NewStream();
        float[] q = PagedCase.Values(new Random(3), 9 * 28 * 128);
        int[] contexts = [700, 3, 0, 65, 1500, 16, 128, 1, 333];

        // The first sequence's pages are drawn first: they are the same in both.
        using var many = new PagedCase(gpu, stream, new Random(4), [1, 1, 1, 1, 1, 1, 1, 1, 1], contexts, 16, 1024, DType.Bf16);
        ushort[] together = Run(kernels, stream, many, q, 28, 4, 128, DType.Bf16, deterministic: true);
        using var one = new PagedCase(gpu, stream, new Random(4), [1], [700], 16, 1024, DType.Bf16);
        CopyFirstSequence(many, one, 1024);
        using DeviceBuffer pages = gpu.Upload<ushort>(stream, PagedCase.Round(one.Pages));
        ushort[] alone = Run(kernels, stream, one, q[..(28 * 128)], 28, 4, 128, DType.Bf16, deterministic: true, pages.Pointer);
        Assert.Equal(together[..(28 * 128)], alone[..(28 * 128)]);
    }

    private static void CopyFirstSequence(PagedCase from, PagedCase to, int width)
    {
        for (int s = 0; s < to.Contexts[0]; s++)
        {
            int source = (from.BlockTables[s / from.BlockSize] * from.BlockSize) + (s % from.BlockSize);
            int target = (to.BlockTables[s / to.BlockSize] * to.BlockSize) + (s % to.BlockSize);
            Array.Copy(from.Pages, source * width, to.Pages, target * width, width);
        }
    }

    private ushort[] Run(CudaKernels kernels, CudaStream stream, PagedCase paged, float[] q, int numHeads, int numKvHeads, int headDim, DType type, bool deterministic, nint pages = 0)
    {
        int columns = numHeads * headDim;
        int stride = columns + 8;
        using DeviceBuffer query = gpu.Upload<ushort>(stream, PagedCase.Round(q));
        using DeviceBuffer output = gpu.Poisoned<ushort>(stream, paged.NumTokens * stride);
        using DeviceBuffer workspace = gpu.Poisoned<byte>(stream, PagedAttentionCuda.WorkspaceBytes(paged.Tokens.Length, numHeads, numKvHeads, headDim, deterministic));
        int counters = (int)PagedAttentionCuda.CounterBytes(paged.Tokens.Length, numHeads, numKvHeads) / sizeof(int);
        using DeviceBuffer zeros = gpu.Upload<int>(stream, new int[counters]);
        for (int again = 0; again < 2; again++)
        {
            PagedAttentionCuda.Run(
                kernels,
                stream,
                new DeviceMatrix(query.Pointer, DType.Bf16, paged.NumTokens, columns, columns),
                paged.Step,
                pages == 0 ? paged.PagesOnCard : pages,
                type,
                numHeads,
                numKvHeads,
                1 / MathF.Sqrt(headDim),
                new DeviceMatrix(output.Pointer, DType.Bf16, paged.NumTokens, columns, stride),
                paged.MaxQueryLen,
                workspace.Pointer,
                zeros.Pointer,
                deterministic);
        }

        ushort[] result = gpu.Download<ushort>(stream, output, paged.NumTokens * stride);
        Assert.All(gpu.Download<int>(stream, zeros, counters), c => Assert.Equal(0, c));
        return result;
    }

    internal static float[] Reference(PagedCase paged, float[] q, int numHeads, int numKvHeads, int headDim)
    {
        float[] o = new float[q.Length];
        fixed (float* query = q, output = o, pages = paged.Pages)
        fixed (int* cu = paged.CuSeqLens, contexts = paged.Contexts, tables = paged.BlockTables, positions = paged.Positions)
        {
            // A padded sequence has no key to look at; its rows are checked to be zero.
            int[] nonEmpty = [.. paged.Contexts.Select(c => Math.Max(c, 1))];
            int[] safe = [.. paged.BlockTables.Select(b => b == 1 << 30 ? 0 : b)];
            fixed (int* someContexts = nonEmpty, someTables = safe)
            {
                PagedAttention.ForwardReference(
                    new MatrixF32(query, paged.NumTokens, numHeads * headDim, numHeads * headDim),
                    paged.Batch(cu, someContexts, someTables, positions),
                    new KvPages((byte*)pages, DType.F32, 2 * numKvHeads * headDim),
                    numHeads,
                    numKvHeads,
                    1 / MathF.Sqrt(headDim),
                    new MatrixF32(output, paged.NumTokens, numHeads * headDim, numHeads * headDim));
            }
        }

        return o;
    }
}
