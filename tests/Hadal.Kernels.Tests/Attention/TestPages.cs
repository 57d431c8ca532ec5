using Hadal.Kernels.Paging;
using Hadal.Numerics;
using Hadal.TestKit;

namespace Hadal.Kernels.Tests.Attention;

/// <summary>A step over scrambled pages: slots that hold no token are NaN, the last slot ends at a guard page.</summary>
internal sealed unsafe class TestPages : IDisposable
{
    private readonly GuardedBuffer _pages;
    private readonly List<GuardedBuffer> _arrays = [];

    /// <param name="sequences">Context length and rows of each sequence.</param>
    public TestPages(Random random, (int Context, int Rows)[] sequences, int blockSize, int width, DType dtype, bool fillNewRows = true)
    {
        int numBlocks = sequences.Sum(s => (s.Context + blockSize - 1) / blockSize);
        int maxBlocks = sequences.Max(s => (s.Context + blockSize - 1) / blockSize) + 1;
        int numTokens = sequences.Sum(s => s.Rows);
        int[] blocks = [.. Enumerable.Range(0, numBlocks)];
        random.Shuffle(blocks);
        _pages = new GuardedBuffer((nint)numBlocks * blockSize * width * (dtype == DType.Bf16 ? 2 : 4));
        Pages = new KvPages(_pages.Pointer, dtype, width);
        int* cu = Array<int>(sequences.Length + 1);
        int* contexts = Array<int>(sequences.Length);
        int* tables = Array<int>(sequences.Length * maxBlocks);
        int* positions = Array<int>(numTokens);
        long* slots = Array<long>(numTokens);
        float[] row = new float[width];
        int next = 0;
        cu[0] = 0;
        for (int b = 0; b < sequences.Length; b++)
        {
            (int context, int rows) = sequences[b];
            contexts[b] = context;
            for (int i = 0; i < (context + blockSize - 1) / blockSize; i++)
            {
                tables[(b * maxBlocks) + i] = blocks[next++];
            }

            for (int p = 0; p < context; p++)
            {
                long slot = ((long)tables[(b * maxBlocks) + (p / blockSize)] * blockSize) + (p % blockSize);
                bool isNew = p >= context - rows;
                if (isNew)
                {
                    int t = cu[b] + p - (context - rows);
                    positions[t] = p;
                    slots[t] = slot;
                }

                if (!isNew || fillNewRows)
                {
                    TestMatrix.Fill(random, row);
                    for (int i = 0; i < width; i++)
                    {
                        if (dtype == DType.Bf16)
                        {
                            ((ushort*)_pages.Pointer)[(slot * width) + i] = Bf16.FromSingle(row[i]);
                        }
                        else
                        {
                            _pages.As<float>()[(slot * width) + i] = row[i];
                        }
                    }
                }
            }

            cu[b + 1] = cu[b] + rows;
        }

        ByteLength = numBlocks * blockSize * width * (dtype == DType.Bf16 ? 2 : 4);
        Batch = new PagedBatch
        {
            NumTokens = numTokens,
            NumSequences = sequences.Length,
            CuSeqLens = cu,
            ContextLens = contexts,
            BlockTables = tables,
            MaxBlocksPerSequence = maxBlocks,
            BlockSize = blockSize,
            Positions = positions,
            SlotMapping = slots,
        };
    }

    public KvPages Pages { get; }

    public PagedBatch Batch { get; }

    public int ByteLength { get; }

    public ReadOnlySpan<byte> Bytes => new(Pages.Data, ByteLength);

    /// <summary>The step of sequence b alone, over the same pages; its rows are rows CuSeqLens[b] … of the whole.</summary>
    public PagedBatch Alone(int b)
    {
        int first = Batch.CuSeqLens[b];
        int* cu = Array<int>(2);
        cu[0] = 0;
        cu[1] = Batch.CuSeqLens[b + 1] - first;
        return new PagedBatch
        {
            NumTokens = cu[1],
            NumSequences = 1,
            CuSeqLens = cu,
            ContextLens = Batch.ContextLens + b,
            BlockTables = Batch.BlockTables + (b * Batch.MaxBlocksPerSequence),
            MaxBlocksPerSequence = Batch.MaxBlocksPerSequence,
            BlockSize = Batch.BlockSize,
            Positions = Batch.Positions + first,
            SlotMapping = Batch.SlotMapping + first,
        };
    }

    /// <summary>Rows [from, from + count) of the only sequence, as if the later ones did not exist yet.</summary>
    public PagedBatch Chunk(int from, int count)
    {
        int* cu = Array<int>(2);
        int* context = Array<int>(1);
        cu[0] = 0;
        cu[1] = count;
        *context = Batch.Positions[from] + count;
        return new PagedBatch
        {
            NumTokens = count,
            NumSequences = 1,
            CuSeqLens = cu,
            ContextLens = context,
            BlockTables = Batch.BlockTables,
            MaxBlocksPerSequence = Batch.MaxBlocksPerSequence,
            BlockSize = Batch.BlockSize,
            Positions = Batch.Positions + from,
            SlotMapping = Batch.SlotMapping + from,
        };
    }

    public void Dispose()
    {
        _pages.Dispose();
        _arrays.ForEach(a => a.Dispose());
    }

    private T* Array<T>(int count)
        where T : unmanaged
    {
        var memory = GuardedBuffer.Of<T>(count);
        _arrays.Add(memory);
        return (T*)memory.Pointer;
    }
}
