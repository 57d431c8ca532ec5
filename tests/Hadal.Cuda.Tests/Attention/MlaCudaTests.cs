using Hadal.Kernels;
using Hadal.Kernels.Cuda;
using Hadal.Kernels.Mla;
using Hadal.Kernels.Paging;
using Hadal.Numerics;

namespace Hadal.Cuda.Tests.Attention;

public sealed unsafe class MlaCudaTests(Gpu gpu)
{
    // As for grouped queries; the whole has two roundings more, of the latent queries and outputs.
    private const double Tolerance = 5e-3;
    private const double WholeTolerance = 1e-2;

    private static readonly MlaShape _lite = new(16, 512, 64, 128, 128);

    public static TheoryData<CudaTarget, MlaShape, bool> Shapes { get; } = new(
        from target in new[] { CudaTarget.Sm80, CudaTarget.Sm90a }
        from shape in new[] { _lite, _lite with { NumHeads = 5 }, _lite with { NumHeads = 32 }, _lite with { NumHeads = 128 }, new(4, 32, 8, 16, 16), new(4, 64, 8, 16, 16) }
        from e4m3 in new[] { false, true }
        select (target, shape, e4m3));

    [Theory, MemberData(nameof(Shapes))]
    public void Latent_RaggedSteps_AsTheReference(CudaTarget target, MlaShape shape, bool e4m3)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream stream = gpu.Context.NewStream();
        var random = new Random(shape.NumHeads);
        (int[] tokens, int[] contexts) = PagedCase.Draw(random, 4);
        tokens = [.. tokens.Select(t => Math.Min(t, 512 / shape.NumHeads))];
        DType type = e4m3 ? DType.F8E4M3 : DType.Bf16;
        using var paged = new PagedCase(gpu, stream, random, tokens, contexts, 16, shape.CacheWidth, type);
        int columns = shape.NumHeads * shape.CacheWidth;
        int outputs = shape.NumHeads * shape.KvLoraRank;
        float[] q = PagedCase.Values(random, paged.NumTokens * columns);
        float scale = 1 / MathF.Sqrt(shape.QkHeadDim * 2);
        using DeviceBuffer query = gpu.Upload<ushort>(stream, PagedCase.Round(q));
        using DeviceBuffer output = gpu.Poisoned<ushort>(stream, paged.NumTokens * (outputs + 8));
        using DeviceBuffer workspace = gpu.Poisoned<byte>(stream, MlaLatentAttentionCuda.WorkspaceBytes(tokens.Length, shape));
        MlaLatentAttentionCuda.Run(
            kernels,
            stream,
            new DeviceMatrix(query.Pointer, DType.Bf16, paged.NumTokens, columns, columns),
            paged.Step,
            paged.PagesOnCard,
            type,
            shape,
            scale,
            new DeviceMatrix(output.Pointer, DType.Bf16, paged.NumTokens, outputs, outputs + 8),
            paged.MaxQueryLen,
            workspace.Pointer);
        ushort[] actual = gpu.Download<ushort>(stream, output, paged.NumTokens * (outputs + 8));
        float[] expected = new float[paged.NumTokens * outputs];
        Reference(paged, (batch, pages) =>
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
    public void Whole_RaggedSteps_AsByHand(CudaTarget target, MlaShape shape, bool e4m3)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream stream = gpu.Context.NewStream();
        var random = new Random(shape.NumHeads + 1);
        DType type = e4m3 ? DType.F8E4M3 : DType.Bf16;
        int few = shape.NumHeads > 16 ? 3 : 20;
        using var paged = new PagedCase(gpu, stream, random, [1, few, 1, 2], [90, few + 30, 0, 2], 16, shape.CacheWidth, type);
        int columns = shape.NumHeads * shape.QkHeadDim;
        int outputs = shape.NumHeads * shape.VHeadDim;
        int weightRows = shape.NumHeads * (shape.QkNopeHeadDim + shape.VHeadDim);
        float[] q = PagedCase.Values(random, paged.NumTokens * columns);
        float[] w = [.. PagedCase.Values(random, weightRows * shape.KvLoraRank).Select(v => Bf16.ToSingle(Bf16.FromSingle(v / 16)))];
        float scale = 1 / MathF.Sqrt(shape.QkHeadDim * 2);
        using DeviceBuffer query = gpu.Upload<ushort>(stream, PagedCase.Round(q));
        using DeviceBuffer kvB = gpu.Upload<ushort>(stream, PagedCase.Round(w));
        foreach (bool deterministic in new[] { false, true })
        {
            using DeviceBuffer output = gpu.Poisoned<ushort>(stream, paged.NumTokens * (outputs + 8));
            using DeviceBuffer workspace = gpu.Poisoned<byte>(stream, MlaAttentionCuda.WorkspaceBytes(paged.NumTokens, 4, shape, deterministic));
            MlaAttentionCuda.Run(
                kernels,
                stream,
                new DeviceMatrix(query.Pointer, DType.Bf16, paged.NumTokens, columns, columns),
                paged.Step,
                paged.PagesOnCard,
                type,
                new DeviceMatrix(kvB.Pointer, DType.Bf16, weightRows, shape.KvLoraRank, shape.KvLoraRank),
                shape,
                scale,
                new DeviceMatrix(output.Pointer, DType.Bf16, paged.NumTokens, outputs, outputs + 8),
                paged.MaxQueryLen,
                workspace.Pointer,
                deterministic);
            ushort[] actual = gpu.Download<ushort>(stream, output, paged.NumTokens * (outputs + 8));
            Assert.InRange(paged.Error(actual, outputs + 8, ByHand(paged, q, w, shape, scale), outputs), 0, WholeTolerance);
        }
    }

    /// <summary>Keys and values of every context row expanded, in double precision.</summary>
    internal static float[] ByHand(PagedCase paged, float[] q, float[] w, MlaShape shape, float scale)
    {
        int c = shape.KvLoraRank;
        int dn = shape.QkNopeHeadDim;
        int dv = shape.VHeadDim;
        float[] o = new float[paged.NumTokens * shape.NumHeads * dv];
        for (int b = 0; b < paged.Tokens.Length; b++)
        {
            int context = paged.Contexts[b];
            Parallel.For(0, context == 0 ? 0 : shape.NumHeads, h =>
            {
                double[] expanded = new double[context * (dn + dv)];
                int Row(int s) => ((paged.BlockTables[(b * paged.MaxBlocks) + (s / paged.BlockSize)] * paged.BlockSize) + (s % paged.BlockSize)) * shape.CacheWidth;
                for (int s = 0; s < context; s++)
                {
                    for (int n = 0; n < dn + dv; n++)
                    {
                        double sum = 0;
                        for (int i = 0; i < c; i++)
                        {
                            sum += (double)w[(((h * (dn + dv)) + n) * c) + i] * paged.Pages[Row(s) + i];
                        }

                        expanded[(s * (dn + dv)) + n] = sum;
                    }
                }

                for (int t = paged.CuSeqLens[b]; t < paged.CuSeqLens[b + 1]; t++)
                {
                    int query = (t * shape.NumHeads * shape.QkHeadDim) + (h * shape.QkHeadDim);
                    double[] scores = new double[paged.Positions[t] + 1];
                    for (int s = 0; s < scores.Length; s++)
                    {
                        for (int i = 0; i < dn; i++)
                        {
                            scores[s] += q[query + i] * expanded[(s * (dn + dv)) + i];
                        }

                        for (int i = 0; i < shape.QkRopeHeadDim; i++)
                        {
                            scores[s] += (double)q[query + dn + i] * paged.Pages[Row(s) + c + i];
                        }

                        scores[s] *= scale;
                    }

                    double max = scores.Max();
                    double total = scores.Sum(x => Math.Exp(x - max));
                    for (int i = 0; i < dv; i++)
                    {
                        double sum = 0;
                        for (int s = 0; s < scores.Length; s++)
                        {
                            sum += Math.Exp(scores[s] - max) * expanded[(s * (dn + dv)) + dn + i];
                        }

                        o[(t * shape.NumHeads * dv) + (h * dv) + i] = (float)(sum / total);
                    }
                }
            });
        }

        return o;
    }

    internal static void Reference(PagedCase paged, Action<PagedBatch, nint> run)
    {
        // A padded sequence has no key to look at; its rows are checked to be zero.
        int[] someContexts = [.. paged.Contexts.Select(c => Math.Max(c, 1))];
        int[] someTables = [.. paged.BlockTables.Select(b => b == 1 << 30 ? 0 : b)];
        fixed (float* pages = paged.Pages)
        fixed (int* cu = paged.CuSeqLens, contexts = someContexts, tables = someTables, positions = paged.Positions)
        {
            run(paged.Batch(cu, contexts, tables, positions), (nint)pages);
        }
    }
}
