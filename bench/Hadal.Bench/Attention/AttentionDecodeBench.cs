using BenchmarkDotNet.Attributes;
using Hadal.Jit;
using Hadal.Kernels;
using Hadal.Kernels.Attention;
using Hadal.Kernels.Attention.Emitted;
using Hadal.Kernels.Mla;
using Hadal.Kernels.Paging;
using Hadal.Numerics;

namespace Hadal.Bench.Attention;

/// <summary>One token of one sequence: grouped-query attention as in the 1.5B distillation, latent attention (absorbed) as in V2-Lite. Layers take turns.</summary>
public unsafe class AttentionDecodeBench : KernelBench
{
    private const int Layers = 28, BlockSize = 16;

    private KvPages[] _pages = [];
    private PagedBatch _batch;
    private MatrixF32 _q;
    private MatrixF32 _o;
    private AttentionKernel? _emitted;
    private int _next;

    public enum AttentionKind
    {
        /// <summary>12 heads of 128, 2 of keys and values; over bf16 pages by the emitted kernel, where this machine has the instructions.</summary>
        GroupedQuery,

        /// <summary>16 heads over latents of 512 + 64; likewise.</summary>
        LatentAbsorbed,
    }

    [ParamsAllValues]
    public AttentionKind Kind { get; set; }

    [Params(512, 4096)]
    public int Depth { get; set; }

    [Params("f32", "bf16")]
    public string KvDtype { get; set; } = "f32";

    private static MlaShape Mla => new(16, 512, 64, 128, 128);

    [Benchmark]
    public void Forward()
    {
        _next = (_next + 1) % Layers;
        if (_emitted is not null)
        {
            EmittedAttention.Forward(Pool, _emitted, _q, _batch, _pages[_next], 0.08f, _o);
        }
        else if (Kind == AttentionKind.GroupedQuery)
        {
            PagedAttention.Forward(Pool, _q, _batch, _pages[_next], 12, 2, 0.088f, _o);
        }
        else
        {
            MlaLatentAttention.Forward(Pool, _q, _batch, _pages[_next], Mla, 0.072f, _o);
        }
    }

    protected override void Prepare()
    {
        bool grouped = Kind == AttentionKind.GroupedQuery;
        int width = grouped ? 2 * 2 * 128 : Mla.CacheWidth;
        DType dtype = KvDtype == "bf16" ? DType.Bf16 : DType.F32;
        int blocks = (Depth + BlockSize - 1) / BlockSize;
        long pageBytes = (long)blocks * BlockSize * width * dtype.BlockBytes;
        var random = new Random(Depth);
        _pages = [.. Enumerable.Range(0, Layers).Select(_ => Pages(random, pageBytes, dtype, width))];
        _q = RandomMatrix(1, grouped ? 12 * 128 : 16 * Mla.CacheWidth);
        _o = Matrix(1, grouped ? 12 * 128 : 16 * Mla.KvLoraRank);
        int* table = Memory(4L * blocks).As<int>();
        // Pages lie in the order a long-running server would have handed them out: none.
        int[] order = [.. Enumerable.Range(0, blocks)];
        random.Shuffle(order);
        order.CopyTo(new Span<int>(table, blocks));
        int* numbers = Memory(64).As<int>();
        numbers[1] = 1;
        numbers[2] = Depth;
        numbers[3] = Depth - 1;
        long* slot = Memory(64).As<long>();
        slot[0] = ((long)table[blocks - 1] * BlockSize) + ((Depth - 1) % BlockSize);
        _batch = new PagedBatch
        {
            NumTokens = 1,
            NumSequences = 1,
            CuSeqLens = numbers,
            ContextLens = numbers + 2,
            BlockTables = table,
            MaxBlocksPerSequence = blocks,
            BlockSize = BlockSize,
            Positions = numbers + 3,
            SlotMapping = slot,
        };
        AttentionKernelShape shape = grouped ? AttentionKernelShape.GroupedQuery(12, 2, 128) : AttentionKernelShape.Latent(Mla);
        bool isEmitted = dtype == DType.Bf16 && AttentionKernel.Supports(CpuFeatures.Detect(), shape);
        _emitted = isEmitted ? Own(new AttentionKernel(shape)) : null;
        double operations = grouped ? 2.0 * 12 * Depth * (128 + 128) : 2.0 * 16 * Depth * (Mla.CacheWidth + Mla.KvLoraRank);
        // 28 layers of 512 tokens may stay in a large cache, in a model too; then the share says more than memory gives.
        Does(pageBytes, operations, isEmitted ? MultiplyAdd.Bf16 : MultiplyAdd.F32);
    }

    private KvPages Pages(Random random, long bytes, DType dtype, int width)
    {
        byte* data = Memory(bytes).Pointer;
        for (long i = 0; i < bytes / dtype.BlockBytes; i++)
        {
            float v = random.NextSingle() - 0.5f;
            if (dtype == DType.Bf16)
            {
                ((ushort*)data)[i] = Bf16.FromSingle(v);
            }
            else
            {
                ((float*)data)[i] = v;
            }
        }

        return new KvPages(data, dtype, width);
    }
}
