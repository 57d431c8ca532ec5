using Hadal.Jit;
using Hadal.Kernels.Paging;

namespace Hadal.Kernels.Rope;

public static unsafe class RopeKvWrite
{
    public static void Forward(WorkerPool pool, MatrixF32 k, MatrixF32 v, MatrixF32 cosSin, int numKvHeads, int start, bool interleaved, in PagedBatch batch, KvPages pages)
    {
        float[] tmp = new float[k.Rows * k.Columns];
        fixed (float* p = tmp)
        {
            var r = new MatrixF32(p, k.Rows, k.Columns, k.Columns);
            RotaryEmbedding.ForwardReference(k, cosSin, numKvHeads, start, interleaved, r);
            KvWrite.ForwardReference(r, v, batch, pages);
        }
    }
}
