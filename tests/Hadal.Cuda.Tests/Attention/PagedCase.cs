using Hadal.Kernels.Cuda;
using Hadal.Kernels.Paging;
using Hadal.Numerics;

namespace Hadal.Cuda.Tests.Attention;

/// <summary>A ragged step over pages in shuffled blocks, here and on the card. What no sequence owns is NaN.</summary>
internal sealed class PagedCase : IDisposable
{
    private readonly List<DeviceBuffer> _buffers = [];

    public PagedCase(Gpu gpu, CudaStream stream, Random random, int[] tokens, int[] contexts, int blockSize, int width, DType pagesType)
    {
        Tokens = tokens;
        Contexts = contexts;
        BlockSize = blockSize;
        CuSeqLens = new int[tokens.Length + 1];
        for (int b = 0; b < tokens.Length; b++)
        {
            CuSeqLens[b + 1] = CuSeqLens[b] + tokens[b];
        }

        int[] blocks = [.. contexts.Select(c => (c + blockSize - 1) / blockSize)];
        MaxBlocks = blocks.Max() + 1;
        int[] ids = [.. Enumerable.Range(0, blocks.Sum() + 3)];
        random.Shuffle(ids);
        BlockTables = new int[tokens.Length * MaxBlocks];
        Array.Fill(BlockTables, 1 << 30);
        Positions = new int[NumTokens];
        Pages = new float[ids.Length * blockSize * width];
        Array.Fill(Pages, float.NaN);
        int next = 0;
        for (int b = 0; b < tokens.Length; b++)
        {
            for (int i = 0; i < blocks[b]; i++)
            {
                BlockTables[(b * MaxBlocks) + i] = ids[next++];
            }

            for (int i = 0; i < tokens[b]; i++)
            {
                Positions[CuSeqLens[b] + i] = Math.Max(0, contexts[b] - tokens[b] + i);
            }

            for (int s = 0; s < contexts[b]; s++)
            {
                int slot = (BlockTables[(b * MaxBlocks) + (s / blockSize)] * blockSize) + (s % blockSize);
                for (int i = 0; i < width; i++)
                {
                    Pages[(slot * width) + i] = (float)((random.NextDouble() * 4) - 2);
                }
            }
        }

        if (pagesType == DType.F32)
        {
            PagesOnCard = Keep(gpu.Upload<float>(stream, Pages));
        }
        else if (pagesType == DType.F8E4M3)
        {
            byte[] codes = [.. Pages.Select(v => float.IsNaN(v) ? (byte)0x7F : Fp8.E4M3FromSingle(v))];
            for (int i = 0; i < codes.Length; i++)
            {
                Pages[i] = Fp8.E4M3ToSingle(codes[i]);
            }

            PagesOnCard = Keep(gpu.Upload<byte>(stream, codes));
        }
        else
        {
            PagesOnCard = Keep(gpu.Upload<ushort>(stream, Round(Pages)));
        }

        Step = new DeviceStep
        {
            Tokens = 0,
            Positions = Keep(gpu.Upload<int>(stream, Positions)),
            Slots = 0,
            CuSeqLens = Keep(gpu.Upload<int>(stream, CuSeqLens)),
            ContextLens = Keep(gpu.Upload<int>(stream, contexts)),
            BlockTables = Keep(gpu.Upload<int>(stream, BlockTables)),
            LogitRows = 0,
            NumTokens = NumTokens,
            NumSequences = tokens.Length,
            NumLogitRows = 0,
            MaxBlocks = MaxBlocks,
            BlockSize = blockSize,
        };
    }

    public int[] Tokens { get; }

    public int[] Contexts { get; }

    public int[] CuSeqLens { get; }

    public int[] Positions { get; }

    public int[] BlockTables { get; }

    public int MaxBlocks { get; }

    public int BlockSize { get; }

    /// <summary>What the card's pages hold.</summary>
    public float[] Pages { get; }

    public nint PagesOnCard { get; }

    public DeviceStep Step { get; }

    public int NumTokens => CuSeqLens[^1];

    public int MaxQueryLen => Tokens.Max();

    /// <summary>Tokens and contexts of a few sequences: prompts, chunks of prompts, single tokens, and padding.</summary>
    public static (int[] Tokens, int[] Contexts) Draw(Random random, int count)
    {
        int[] tokens = new int[count];
        int[] contexts = new int[count];
        for (int b = 0; b < count; b++)
        {
            tokens[b] = random.Next(4) switch { 0 => random.Next(2, 6), 1 => random.Next(30, 150), _ => 1 };
            contexts[b] = random.Next(6) == 0 ? 0 : tokens[b] + (random.Next(3) == 0 ? 0 : random.Next(1, 400));
        }

        return (tokens, contexts);
    }

    /// <summary>Values as bf16 has them, here as floats.</summary>
    public static float[] Values(Random random, int count)
        => [.. Enumerable.Range(0, count).Select(_ => Bf16.ToSingle(Bf16.FromSingle((float)((random.NextDouble() * 4) - 2))))];

    public static ushort[] Round(float[] values) => [.. values.Select(Bf16.FromSingle)];

    public DeviceBuffer KeepBuffer(DeviceBuffer buffer)
    {
        _buffers.Add(buffer);
        return buffer;
    }

    public nint Keep(DeviceBuffer buffer) => KeepBuffer(buffer).Pointer;

    /// <summary>The batch for a reference on the CPU; the arrays must be pinned meanwhile.</summary>
    public unsafe PagedBatch Batch(int* cuSeqLens, int* contexts, int* tables, int* positions) => new()
    {
        NumTokens = NumTokens,
        NumSequences = Tokens.Length,
        CuSeqLens = cuSeqLens,
        ContextLens = contexts,
        BlockTables = tables,
        MaxBlocksPerSequence = MaxBlocks,
        BlockSize = BlockSize,
        Positions = positions,
        SlotMapping = null,
    };

    /// <summary>‖actual − expected‖ / ‖expected‖ over the rows of sequences that have a context; rows of those without are zero to the bit.</summary>
    public double Error(ushort[] actual, int stride, float[] expected, int columns)
        => Error(Array.ConvertAll(actual, Bf16.ToSingle), stride, expected, columns);

    /// <inheritdoc cref="Error(ushort[], int, float[], int)"/>
    public double Error(float[] actual, int stride, float[] expected, int columns)
    {
        double error = 0;
        double norm = 0;
        for (int b = 0; b < Tokens.Length; b++)
        {
            for (int t = CuSeqLens[b]; t < CuSeqLens[b + 1]; t++)
            {
                for (int i = 0; i < columns; i++)
                {
                    float value = actual[(t * stride) + i];
                    if (Contexts[b] == 0)
                    {
                        Assert.Equal(0f, value);
                        continue;
                    }

                    double difference = value - expected[(t * columns) + i];
                    error += difference * difference;
                    norm += (double)expected[(t * columns) + i] * expected[(t * columns) + i];
                }

                for (int i = columns; i < stride; i++)
                {
                    Assert.True(float.IsNaN(actual[(t * stride) + i]));
                }
            }
        }

        return Math.Sqrt(error / Math.Max(norm, 1e-30));
    }

    public void Dispose()
    {
        foreach (DeviceBuffer buffer in _buffers)
        {
            buffer.Dispose();
        }
    }
}
