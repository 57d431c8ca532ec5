using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Hadal.Kernels.Vectors;
using Hadal.Numerics;

namespace Hadal.Kernels.Paging;

/// <summary>Gathers rows of pages into a dense float32 tile.</summary>
internal static unsafe class PageReader<TLanes, TV>
    where TLanes : struct, ILanes<TV>
    where TV : unmanaged
{
    /// <summary>tile[i, 0..width) = page row of position first + i, columns column … column + width; the rest up to <see cref="Tile.Pad"/> is 0.</summary>
    /// <param name="end">Positions that will be read in the end: the rows one tile further are fetched into the cache while this one is computed with.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Gather(in PagedBatch batch, KvPages pages, int sequence, int first, int count, int end, int column, int width, float* tile, nint stride)
    {
        int* table = batch.BlockTables + ((nint)sequence * batch.MaxBlocksPerSequence);
        int blockSize = batch.BlockSize;
        bool bf16 = pages.DType == DType.Bf16;
        int elementBytes = bf16 ? sizeof(ushort) : sizeof(float);
        int padded = Tile.Pad(width);
        (int block, int slot) = Math.DivRem(first, blockSize);
        (int nextBlock, int nextSlot) = Math.DivRem(first + count, blockSize);
        int numAhead = Math.Min(count, end - first - count);
        for (int i = 0; i < count; i++)
        {
            if (Sse.IsSupported && i < numAhead)
            {
                byte* ahead = pages.Data + (((((nint)table[nextBlock] * blockSize) + nextSlot) * pages.Width) + column) * elementBytes;
                for (int at = 0; at < width * elementBytes; at += 64)
                {
                    Sse.Prefetch1(ahead + at);
                }

                if (++nextSlot == blockSize)
                {
                    nextSlot = 0;
                    nextBlock++;
                }
            }

            nint element = ((((nint)table[block] * blockSize) + slot) * pages.Width) + column;
            float* to = tile + (i * stride);
            int d = 0;
            if (bf16)
            {
                ushort* from = (ushort*)pages.Data + element;
                for (; d + TLanes.Count <= width; d += TLanes.Count)
                {
                    TLanes.Store(to + d, TLanes.LoadBf16(from + d));
                }

                for (; d < width; d++)
                {
                    to[d] = Bf16.ToSingle(from[d]);
                }
            }
            else
            {
                float* from = (float*)pages.Data + element;
                for (; d + TLanes.Count <= width; d += TLanes.Count)
                {
                    TLanes.Store(to + d, TLanes.Load(from + d));
                }

                for (; d < width; d++)
                {
                    to[d] = from[d];
                }
            }

            for (; d < padded; d++)
            {
                to[d] = 0;
            }

            if (++slot == blockSize)
            {
                slot = 0;
                block++;
            }
        }
    }
}
