using Hadal.Numerics;

namespace Hadal.Kernels.Paging;

/// <summary>Reads single elements of pages; for references.</summary>
internal static unsafe class KvRow
{
    /// <summary>Element index of the page row that holds position <paramref name="position"/> of sequence <paramref name="sequence"/>.</summary>
    public static nint Offset(in PagedBatch batch, KvPages pages, int sequence, int position)
    {
        int block = batch.BlockTables[((nint)sequence * batch.MaxBlocksPerSequence) + (position / batch.BlockSize)];
        return (((nint)block * batch.BlockSize) + (position % batch.BlockSize)) * pages.Width;
    }

    public static float Load(KvPages pages, nint element) => pages.DType == DType.Bf16
        ? Bf16.ToSingle(((ushort*)pages.Data)[element])
        : ((float*)pages.Data)[element];
}
