using Hadal.Cuda;
using Hadal.Kernels.Cuda;
using Hadal.Numerics;

namespace Hadal.Kernels.Mla;

/// <summary><see cref="MlaAttention"/> on the card, by way of the latents: absorb, attend, expand.</summary>
/// <remarks>q: [T, H·(Dn+R)]; kvB: [H·(Dn+Dv), C]; o: [T, H·Dv], all bf16, or all f32 and the pages too. The latent queries and outputs between the three are of q's type.</remarks>
public static class MlaAttentionCuda
{
    public static void Run(
        CudaKernels kernels,
        CudaStream stream,
        DeviceMatrix q,
        in DeviceStep step,
        nint pages,
        DType pagesType,
        DeviceMatrix kvB,
        MlaShape shape,
        float scale,
        DeviceMatrix o,
        int maxQueryLen,
        nint workspace,
        bool deterministic = false)
    {
        if (step.NumTokens == 0)
        {
            return;
        }

        int rows = step.NumTokens;
        var qLatent = new DeviceMatrix(workspace, q.DType, rows, shape.NumHeads * shape.CacheWidth, shape.NumHeads * shape.CacheWidth);
        var oLatent = new DeviceMatrix(
            workspace + (nint)QueryBytes(rows, shape, q.DType), q.DType, rows, shape.NumHeads * shape.KvLoraRank, shape.NumHeads * shape.KvLoraRank);
        MlaAbsorbQueryCuda.Run(kernels, stream, q.RowRange(0, rows), kvB, shape, qLatent);
        MlaLatentAttentionCuda.Run(
            kernels, stream, qLatent, step, pages, pagesType, shape, scale, oLatent, maxQueryLen, oLatent.Data + (nint)OutputBytes(rows, shape, q.DType), deterministic);
        MlaExpandValueCuda.Run(kernels, stream, oLatent, kvB, shape, o);
    }

    /// <summary>Bytes of scratch, of any content, for a step of at most so many tokens and sequences.</summary>
    public static long WorkspaceBytes(int numTokens, int numSequences, MlaShape shape, bool deterministic = false, DType type = DType.Bf16)
        => QueryBytes(numTokens, shape, type) + OutputBytes(numTokens, shape, type) + MlaLatentAttentionCuda.WorkspaceBytes(numSequences, shape, deterministic);

    private static long QueryBytes(int rows, MlaShape shape, DType type) => RoundUp((long)type.BlockBytes * rows * shape.NumHeads * shape.CacheWidth);

    private static long OutputBytes(int rows, MlaShape shape, DType type) => RoundUp((long)type.BlockBytes * rows * shape.NumHeads * shape.KvLoraRank);

    private static long RoundUp(long bytes) => (bytes + 255) / 256 * 256;
}
