using Hadal.Kernels.Paging;

namespace Hadal.Kernels.Rope;

public static unsafe partial class RopeKvWrite
{
    public static void ForwardReference(
        MatrixF32 k, MatrixF32 v, MatrixF32 cosSin, int numKvHeads, int start, bool interleaved, in PagedBatch batch, KvPages pages)
    {
        float[] rotated = new float[k.Rows * k.Columns];
        fixed (float* p = rotated)
        {
            var y = new MatrixF32(p, k.Rows, k.Columns, k.Columns);
            RotaryEmbedding.ForwardReference(k, cosSin, numKvHeads, start, interleaved, y);
            KvWrite.ForwardReference(y, v, batch, pages);
        }
    }
}
