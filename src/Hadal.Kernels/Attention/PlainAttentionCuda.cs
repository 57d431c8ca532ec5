using System.Runtime.InteropServices;
using Hadal.Cuda;
using Hadal.Kernels.Cuda;
using Hadal.Numerics;

namespace Hadal.Kernels.Attention;

/// <summary>Paged attention of any widths on the card, of bf16 or of f32 over f32 pages, in plain loops: right, not fast.</summary>
/// <remarks>A key is keyWidth columns of a page row from head / group · keyWidth on, a value valueWidth columns from valueFirst + head / group · valueWidth on.</remarks>
internal static class PlainAttentionCuda
{
    public static void Run(
        CudaKernels kernels,
        CudaStream stream,
        DeviceMatrix q,
        in DeviceStep step,
        nint pages,
        DType pagesType,
        int numHeads,
        int group,
        int keyWidth,
        int valueWidth,
        int rowWidth,
        int valueFirst,
        float scale,
        DeviceMatrix o)
    {
        int shared = (136 + keyWidth + valueWidth) * sizeof(float);
        CudaFunction attend = kernels.Get("PlainAttention", pagesType switch { DType.F32 => "attend_f32", DType.F8E4M3 => "attend_e4m3", _ => "attend_bf16" }, shared);
        var args = new Args
        {
            Step = step,
            Q = q.Data,
            O = o.Data,
            Pages = pages,
            QStride = q.Stride,
            OStride = o.Stride,
            Group = group,
            KeyWidth = keyWidth,
            ValueWidth = valueWidth,
            RowWidth = rowWidth,
            ValueFirst = valueFirst,
            Scale = scale * MathF.Log2(MathF.E),
        };

        // A grid has at most 65,535 rows.
        attend.Launch(stream, new LaunchShape(numHeads, step.NumTokens, 1, 128) { SharedBytes = shared, What = "attention in plain loops" }, args);
    }

    public static void ThrowIfTypes(DeviceMatrix q, DeviceMatrix o, DType pagesType)
    {
        if (q.DType is not (DType.Bf16 or DType.F32) || o.DType != q.DType)
        {
            throw new ArgumentException($"attention from {q.DType} to {o.DType}; the card's kernels take Bf16 or F32, the same for both", nameof(q));
        }

        if (q.DType == DType.F32 ? pagesType != DType.F32 : pagesType is not (DType.Bf16 or DType.F8E4M3))
        {
            throw new ArgumentException($"pages of {pagesType} for queries of {q.DType}; the card's kernels read Bf16 and F8E4M3 for Bf16, F32 for F32", nameof(pagesType));
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct Args
    {
        public DeviceStep Step;
        public nint Q;
        public nint O;
        public nint Pages;
        public int QStride;
        public int OStride;
        public int Group;
        public int KeyWidth;
        public int ValueWidth;
        public int RowWidth;
        public int ValueFirst;
        public float Scale;
    }
}
