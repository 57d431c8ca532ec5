using Hadal.Kernels.Norm;
using Hadal.Kernels.Paging;
using Hadal.Kernels.Rope;

namespace Hadal.Kernels.Mla;

public static unsafe partial class MlaNormRopeKvWrite
{
    public static void ForwardReference(
        MatrixF32 kvA, ReadOnlySpan<float> normWeight, float eps, MatrixF32 cosSin, bool interleaved, in PagedBatch batch, KvPages pages)
    {
        int c = normWeight.Length;
        float[] row = new float[kvA.Rows * kvA.Columns];
        fixed (float* p = row)
        {
            var latent = new MatrixF32(p, kvA.Rows, c, kvA.Columns);
            var key = new MatrixF32(p + c, kvA.Rows, cosSin.Columns, kvA.Columns);
            RmsNorm.ForwardReference(new MatrixF32(kvA.Data, kvA.Rows, c, kvA.Stride), normWeight, eps, latent);
            RotaryEmbedding.ForwardReference(new MatrixF32(kvA.Data + c, kvA.Rows, cosSin.Columns, kvA.Stride), cosSin, 1, 0, interleaved, key);
            KvWrite.ForwardReference(latent, key, batch, pages);
        }
    }
}
