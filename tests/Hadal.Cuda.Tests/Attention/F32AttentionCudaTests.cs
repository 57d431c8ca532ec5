using Hadal.Kernels;
using Hadal.Kernels.Attention;
using Hadal.Kernels.Cuda;
using Hadal.Kernels.Mla;
using Hadal.Kernels.Paging;
using Hadal.Numerics;

namespace Hadal.Cuda.Tests.Attention;

/// <summary>Attention with float32 activations and up-projections over float32 pages.</summary>
public sealed unsafe class F32AttentionCudaTests(Gpu gpu)
{
    // Sums in f32 and a hardware 2^x of two ulp, of the norm.
    private const double Tolerance = 5e-6;

    public static TheoryData<CudaTarget, int, int, int> Heads { get; } = new(
        from target in new[] { CudaTarget.Sm80, CudaTarget.Sm90a }
        from shape in new[] { (14, 2, 64), (4, 4, 128), (6, 2, 8), (3, 1, 20) }
        select (target, shape.Item1, shape.Item2, shape.Item3));

    public static TheoryData<CudaTarget, MlaShape> Shapes { get; } = new(
        from target in new[] { CudaTarget.Sm80, CudaTarget.Sm90a }
        from shape in new MlaShape[] { new(16, 512, 64, 128, 128), new(4, 32, 8, 16, 16), new(3, 64, 8, 24, 40) }
        select (target, shape));

    [Theory, MemberData(nameof(Heads))]
    public void Paged_RaggedSteps_AsTheReference(CudaTarget target, int numHeads, int numKvHeads, int headDim)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream stream = gpu.Context.NewStream();
        var random = new Random(headDim);
        (int[] tokens, int[] contexts) = PagedCase.Draw(random, 5);
        using var paged = new PagedCase(gpu, stream, random, tokens, contexts, 5, 2 * numKvHeads * headDim, DType.F32);
        int columns = numHeads * headDim;
        float[] q = Values(random, paged.NumTokens * columns, 2);
        using DeviceBuffer query = gpu.Upload<float>(stream, q);
        using DeviceBuffer output = gpu.Poisoned<float>(stream, paged.NumTokens * (columns + 8));
        PagedAttentionCuda.Run(
            kernels, stream, new DeviceMatrix(query.Pointer, DType.F32, paged.NumTokens, columns, columns), paged.Step, paged.PagesOnCard, DType.F32, numHeads, numKvHeads, 1 / MathF.Sqrt(headDim),
            new DeviceMatrix(output.Pointer, DType.F32, paged.NumTokens, columns, columns + 8), paged.MaxQueryLen, 0, 0);
        float[] actual = gpu.Download<float>(stream, output, paged.NumTokens * (columns + 8));
        Assert.InRange(paged.Error(actual, columns + 8, PagedAttentionCudaTests.Reference(paged, q, numHeads, numKvHeads, headDim), columns), 0, Tolerance);
    }

    [Theory, MemberData(nameof(Shapes))]
    public void Latent_RaggedSteps_AsTheReference(CudaTarget target, MlaShape shape)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream stream = gpu.Context.NewStream();
        var random = new Random(shape.NumHeads);
        using var paged = new PagedCase(gpu, stream, random, [1, 7, 1, 3], [90, 40, 0, 3], 16, shape.CacheWidth, DType.F32);
        int columns = shape.NumHeads * shape.CacheWidth;
        int outputs = shape.NumHeads * shape.KvLoraRank;
        float[] q = Values(random, paged.NumTokens * columns, 2);
        float scale = 1 / MathF.Sqrt(shape.QkHeadDim * 2);
        using DeviceBuffer query = gpu.Upload<float>(stream, q);
        using DeviceBuffer output = gpu.Poisoned<float>(stream, paged.NumTokens * (outputs + 8));
        MlaLatentAttentionCuda.Run(
            kernels, stream, new DeviceMatrix(query.Pointer, DType.F32, paged.NumTokens, columns, columns), paged.Step, paged.PagesOnCard, DType.F32, shape, scale,
            new DeviceMatrix(output.Pointer, DType.F32, paged.NumTokens, outputs, outputs + 8), paged.MaxQueryLen, 0);
        float[] actual = gpu.Download<float>(stream, output, paged.NumTokens * (outputs + 8));
        float[] expected = new float[paged.NumTokens * outputs];
        MlaCudaTests.Reference(paged, (batch, pages) =>
        {
            fixed (float* p = q, o = expected)
            {
                MlaLatentAttention.ForwardReference(
                    new MatrixF32(p, paged.NumTokens, columns, columns), batch, new KvPages((byte*)pages, DType.F32, shape.CacheWidth), shape, scale, new MatrixF32(o, paged.NumTokens, outputs, outputs));
            }
        });
        Assert.InRange(paged.Error(actual, outputs + 8, expected, outputs), 0, Tolerance);
    }

    [Theory, MemberData(nameof(Shapes))]
    public void Whole_RaggedSteps_AsByHand(CudaTarget target, MlaShape shape)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream stream = gpu.Context.NewStream();
        var random = new Random(shape.NumHeads + 1);
        using var paged = new PagedCase(gpu, stream, random, [1, 20, 1, 2], [90, 50, 0, 2], 16, shape.CacheWidth, DType.F32);
        int columns = shape.NumHeads * shape.QkHeadDim;
        int outputs = shape.NumHeads * shape.VHeadDim;
        int weightRows = shape.NumHeads * (shape.QkNopeHeadDim + shape.VHeadDim);
        float[] q = Values(random, paged.NumTokens * columns, 2);
        float[] w = Values(random, weightRows * shape.KvLoraRank, 1f / 8);
        float scale = 1 / MathF.Sqrt(shape.QkHeadDim * 2);
        using DeviceBuffer query = gpu.Upload<float>(stream, q);
        using DeviceBuffer kvB = gpu.Upload<float>(stream, w);
        using DeviceBuffer output = gpu.Poisoned<float>(stream, paged.NumTokens * (outputs + 8));
        using DeviceBuffer workspace = gpu.Poisoned<byte>(stream, MlaAttentionCuda.WorkspaceBytes(paged.NumTokens, 4, shape, deterministic: false, DType.F32));
        MlaAttentionCuda.Run(
            kernels, stream, new DeviceMatrix(query.Pointer, DType.F32, paged.NumTokens, columns, columns), paged.Step, paged.PagesOnCard, DType.F32,
            new DeviceMatrix(kvB.Pointer, DType.F32, weightRows, shape.KvLoraRank, shape.KvLoraRank), shape, scale,
            new DeviceMatrix(output.Pointer, DType.F32, paged.NumTokens, outputs, outputs + 8), paged.MaxQueryLen, workspace.Pointer);
        float[] actual = gpu.Download<float>(stream, output, paged.NumTokens * (outputs + 8));
        // Scores are sums of large products here, so their rounding weighs more.
        Assert.InRange(paged.Error(actual, outputs + 8, MlaCudaTests.ByHand(paged, q, w, shape, scale), outputs), 0, 2e-5);
    }

    private static float[] Values(Random random, int count, float most) => [.. Enumerable.Range(0, count).Select(_ => ((2 * random.NextSingle()) - 1) * most)];
}
