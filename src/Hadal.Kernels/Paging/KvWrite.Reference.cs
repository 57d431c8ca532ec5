using Hadal.Numerics;

namespace Hadal.Kernels.Paging;

public static unsafe partial class KvWrite
{
    public static void ForwardReference(MatrixF32 first, MatrixF32 second, in PagedBatch batch, KvPages pages)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(first.Columns + second.Columns, pages.Width, nameof(pages));
        for (int t = 0; t < batch.NumTokens; t++)
        {
            nint at = (nint)batch.SlotMapping[t] * pages.Width;
            for (int i = 0; i < pages.Width; i++)
            {
                float v = i < first.Columns ? first.Row(t)[i] : second.Row(t)[i - first.Columns];
                if (pages.DType == DType.Bf16)
                {
                    ((ushort*)pages.Data)[at + i] = Bf16.FromSingle(v);
                }
                else
                {
                    ((float*)pages.Data)[at + i] = v;
                }
            }
        }
    }
}
