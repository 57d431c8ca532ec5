using System.Runtime.InteropServices;
using Hadal.Cuda;
using Hadal.Kernels.Cuda;
using Hadal.Numerics;

namespace Hadal.Kernels.Rope;

/// <summary>Rotary embedding and KV writes on the card: everything between the q|k|v projection and attention, in one launch.</summary>
/// <remarks>
/// q, k, v: bf16 (or f32: the pages then too), rows may be slices of a joined projection. table: [T, R] f32 from <see cref="RopeTableCuda"/>; the rotated part of a head is
/// its columns start … start + R. slots: [T] int64 on the card; a slot below 0 (a padded token) writes nothing. Pages: one row a slot, [k | v], bf16 or
/// e4m3 (saturating, scale 1). Computes in f32 and rounds once. Fast where R/2, the head's width, start and v's width are multiples of 8.
/// </remarks>
public static class RopeCuda
{
    /// <summary>Rotates R columns of each head. y may be x; where it is not, the other columns are copied.</summary>
    public static void Run(CudaKernels kernels, CudaStream stream, in DeviceMatrix x, in DeviceMatrix table, int numHeads, int start, bool interleaved, in DeviceMatrix y)
        => Launch(kernels, stream, x, y, default, default, table, numHeads, 0, start, interleaved, 0, default, default);

    /// <summary>page row of slot_t = [first[t, :] | second[t, :]]</summary>
    public static void WriteKv(CudaKernels kernels, CudaStream stream, in DeviceMatrix first, in DeviceMatrix second, nint slots, in DeviceMatrix pages)
        => Launch(kernels, stream, default, default, first, second, default, 0, 1, 0, false, slots, pages, default);

    /// <summary>page row of slot_t = [rotated k[t, :] | v[t, :]]</summary>
    public static void RopeKvWrite(
        CudaKernels kernels, CudaStream stream, in DeviceMatrix k, in DeviceMatrix v, in DeviceMatrix table, int numKvHeads, int start, bool interleaved, nint slots, in DeviceMatrix pages)
        => Launch(kernels, stream, default, default, k, v, table, 0, numKvHeads, start, interleaved, slots, pages, default);

    /// <summary>Rotates q into <paramref name="qOut"/> (which may be q) and writes rotated k and v.</summary>
    public static void RopeQueryKvWrite(
        CudaKernels kernels,
        CudaStream stream,
        in DeviceMatrix q,
        in DeviceMatrix qOut,
        in DeviceMatrix k,
        in DeviceMatrix v,
        in DeviceMatrix table,
        int numHeads,
        int numKvHeads,
        int start,
        bool interleaved,
        nint slots,
        in DeviceMatrix pages)
        => Launch(kernels, stream, q, qOut, k, v, table, numHeads, numKvHeads, start, interleaved, slots, pages, default);

    /// <summary>As <see cref="RopeQueryKvWrite"/>, after an RMSNorm of each head of q and of k. See <see cref="CanNorm"/>.</summary>
    public static void NormRopeQueryKvWrite(
        CudaKernels kernels,
        CudaStream stream,
        in DeviceMatrix q,
        in DeviceMatrix qOut,
        in DeviceMatrix k,
        in DeviceMatrix v,
        in DeviceMatrix table,
        int numHeads,
        int numKvHeads,
        bool interleaved,
        nint slots,
        in DeviceMatrix pages,
        in HeadNorms norms)
    {
        DeviceCheck.Vector(norms.Q, nameof(norms));
        DeviceCheck.Vector(norms.K, nameof(norms));
        if (!CanNorm(table.Columns, q.Columns / numHeads, v.Columns))
        {
            throw new ArgumentOutOfRangeException(nameof(table), table.Columns, "heads are normed here only where they are rotated whole and their width is 16, 32, 64, 128, 256 or 512");
        }

        Launch(kernels, stream, q, qOut, k, v, table, numHeads, numKvHeads, 0, interleaved, slots, pages, norms);
    }

    /// <summary>Norm, rotation and write fit one launch: heads rotated whole, 16 · 2^n wide.</summary>
    public static bool CanNorm(int rotaryDim, int headDim, int vWidth)
        => rotaryDim == headDim && headDim is 16 or 32 or 64 or 128 or 256 or 512 && vWidth % 8 == 0;

    private static void Launch(
        CudaKernels kernels,
        CudaStream stream,
        in DeviceMatrix q,
        in DeviceMatrix qOut,
        in DeviceMatrix k,
        in DeviceMatrix v,
        in DeviceMatrix table,
        int numHeads,
        int numKvHeads,
        int start,
        bool interleaved,
        nint slots,
        in DeviceMatrix pages,
        in HeadNorms norms)
    {
        bool hasQ = q.Data != 0;
        bool hasKv = k.Data != 0;
        int rows = hasQ ? q.Rows : k.Rows;
        DType type = hasQ ? q.DType : k.DType;
        int half = table.Columns / 2;
        int headDim = hasQ ? q.Columns / Math.Max(numHeads, 1) : k.Columns / Math.Max(numKvHeads, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        if (table.Data != 0)
        {
            DeviceCheck.Matrix(table, DType.F32);
            ArgumentOutOfRangeException.ThrowIfNotEqual(table.Columns % 2, 0, nameof(table));
            ArgumentOutOfRangeException.ThrowIfLessThan(table.Rows, rows, nameof(table));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(start + (2 * half), headDim, nameof(table));
        }

        if (hasQ)
        {
            DeviceCheck.Floats(q);
            DeviceCheck.Matrix(qOut, type);
            DeviceCheck.Shape(qOut, q.Rows, q.Columns);
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(numHeads);
            ArgumentOutOfRangeException.ThrowIfNotEqual(q.Columns, numHeads * headDim, nameof(numHeads));
            if (q.Data == qOut.Data)
            {
                ArgumentOutOfRangeException.ThrowIfNotEqual(qOut.Stride, q.Stride, nameof(qOut));
            }
        }

        if (hasKv)
        {
            DeviceCheck.Floats(k);
            DeviceCheck.Matrix(k, type);
            DeviceCheck.Matrix(v, type);
            DeviceCheck.Pointer(slots);
            DeviceCheck.Pages(pages, k.Columns + v.Columns, type);
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(numKvHeads);
            ArgumentOutOfRangeException.ThrowIfNotEqual(k.Columns, numKvHeads * headDim, nameof(numKvHeads));
            ArgumentOutOfRangeException.ThrowIfNotEqual(k.Rows, rows, nameof(k));
            ArgumentOutOfRangeException.ThrowIfNotEqual(v.Rows, rows, nameof(v));
        }

        if (rows == 0)
        {
            return;
        }

        bool fast = half % 8 == 0 && headDim % 8 == 0 && start % 8 == 0 && v.Columns % 8 == 0;
        int unit = fast ? 8 : 1;
        bool inPlace = q.Data == qOut.Data;
        int apart = headDim - (2 * half);
        var args = new Args
        {
            Table = table.Data,
            Slots = hasKv ? slots : 0,
            Q = q.Data,
            QOut = qOut.Data,
            K = k.Data,
            V = v.Data,
            Pages = pages.Data,
            QNorm = norms.Q,
            KNorm = norms.K,
            TableStride = table.Stride,
            QStride = q.Stride,
            QOutStride = qOut.Stride,
            KStride = k.Stride,
            VStride = v.Stride,
            HeadDim = headDim,
            Start = start,
            Half = half,
            Interleaved = interleaved ? 1 : 0,
            KWidth = k.Columns,
            VWidth = v.Columns,
            QRotated = hasQ ? numHeads * half / unit : 0,
            KRotated = hasKv ? numKvHeads * half / unit : 0,
            QCopied = hasQ && !inPlace ? numHeads * apart / unit : 0,
            KCopied = hasKv ? numKvHeads * apart / unit : 0,
            VCopied = v.Columns / unit,
            Eps = norms.Eps,
        };
        int items = args.QRotated + args.KRotated + args.QCopied + args.KCopied + args.VCopied;
        if (items == 0)
        {
            return;
        }

        bool e4m3 = pages.DType == DType.F8E4M3;
        string name = (norms.Q != 0, fast) switch
        {
            (true, _) when type == DType.F32 => "norm_rope_kv_write_f32",
            (_, true) when type == DType.F32 => "rope_kv_write_f32",
            _ when type == DType.F32 => "rope_kv_write_ragged_f32",
            (true, _) => e4m3 ? "norm_rope_kv_write_e4m3" : "norm_rope_kv_write_bf16",
            (_, true) => e4m3 ? "rope_kv_write_e4m3" : "rope_kv_write_bf16",
            _ => e4m3 ? "rope_kv_write_ragged_e4m3" : "rope_kv_write_ragged_bf16",
        };
        CudaFunction kernel = kernels.Get("rope", name);

        // The grid's second dimension ends at 65,535 tokens.
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, 65535, nameof(q));
        kernel.Launch(stream, new LaunchShape((items + 127) / 128, rows, 1, 128) { What = "rope and kv_write" }, args);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Args
    {
        public nint Table;
        public nint Slots;
        public nint Q;
        public nint QOut;
        public nint K;
        public nint V;
        public nint Pages;
        public nint QNorm;
        public nint KNorm;
        public int TableStride;
        public int QStride;
        public int QOutStride;
        public int KStride;
        public int VStride;
        public int HeadDim;
        public int Start;
        public int Half;
        public int Interleaved;
        public int KWidth;
        public int VWidth;
        public int QRotated;
        public int KRotated;
        public int QCopied;
        public int KCopied;
        public int VCopied;
        public float Eps;
    }
}
