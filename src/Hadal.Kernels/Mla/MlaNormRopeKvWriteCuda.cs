using System.Runtime.InteropServices;
using Hadal.Cuda;
using Hadal.Kernels.Cuda;
using Hadal.Numerics;

namespace Hadal.Kernels.Mla;

/// <summary><see cref="MlaNormRopeKvWrite"/> on the card, and the rotation of the queries with it where they are given.</summary>
/// <remarks>
/// kvA: [T, C+R] bf16 (or f32: q and the pages then too), untouched, may be a slice of a joined projection; weight: [C] f32 on the card, aligned to 16 bytes; table: [T, R] f32;
/// slots: [T] int64, below 0 writes nothing; pages: rows of [latent | rotated key], bf16 or e4m3. q: [T, H·Dq] bf16, its R columns of each head
/// from qStart on are rotated in place; default for none. Fast where C, R/2, Dq and qStart are multiples of 8.
/// </remarks>
public static class MlaNormRopeKvWriteCuda
{
    public static void Run(
        CudaKernels kernels,
        CudaStream stream,
        in DeviceMatrix kvA,
        nint weight,
        float eps,
        in DeviceMatrix table,
        bool interleaved,
        nint slots,
        in DeviceMatrix pages,
        in DeviceMatrix q = default,
        int numHeads = 0,
        int qStart = 0)
    {
        DeviceCheck.Floats(kvA);
        DeviceCheck.Matrix(table, DType.F32);
        DeviceCheck.Vector(weight);
        DeviceCheck.Pointer(slots);
        DeviceCheck.Pages(pages, kvA.Columns, kvA.DType);
        ArgumentOutOfRangeException.ThrowIfNotEqual(table.Columns % 2, 0, nameof(table));
        ArgumentOutOfRangeException.ThrowIfLessThan(table.Rows, kvA.Rows, nameof(table));
        int half = table.Columns / 2;
        int latent = kvA.Columns - table.Columns;
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(latent, nameof(table));
        bool hasQ = q.Data != 0;
        int headDim = 0;
        if (hasQ)
        {
            DeviceCheck.Matrix(q, kvA.DType);
            ArgumentOutOfRangeException.ThrowIfNotEqual(q.Rows, kvA.Rows, nameof(q));
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(numHeads);
            ArgumentOutOfRangeException.ThrowIfNotEqual(q.Columns % numHeads, 0, nameof(numHeads));
            ArgumentOutOfRangeException.ThrowIfNegative(qStart);
            headDim = q.Columns / numHeads;
            ArgumentOutOfRangeException.ThrowIfGreaterThan(qStart + (2 * half), headDim, nameof(qStart));
        }

        if (kvA.Rows == 0)
        {
            return;
        }

        bool fast = latent % 8 == 0 && half % 8 == 0 && headDim % 8 == 0 && qStart % 8 == 0;
        var args = new Args
        {
            Kv = kvA.Data,
            Weight = weight,
            Table = table.Data,
            Slots = slots,
            Pages = pages.Data,
            Q = q.Data,
            KvStride = kvA.Stride,
            TableStride = table.Stride,
            QStride = q.Stride,
            Latent = latent,
            Half = half,
            Interleaved = interleaved ? 1 : 0,
            QHeadDim = headDim,
            QStart = qStart,
            QRotated = hasQ ? numHeads * half / (fast ? 8 : 1) : 0,
            Eps = eps,
        };
        string name = (pages.DType, fast) switch
        {
            (DType.F32, true) => "mla_norm_rope_kv_write_f32",
            (DType.F32, false) => "mla_norm_rope_kv_write_ragged_f32",
            (DType.F8E4M3, true) => "mla_norm_rope_kv_write_e4m3",
            (DType.F8E4M3, false) => "mla_norm_rope_kv_write_ragged_e4m3",
            (_, true) => "mla_norm_rope_kv_write_bf16",
            (_, false) => "mla_norm_rope_kv_write_ragged_bf16",
        };
        kernels.Get("rope", name).Launch(stream, new LaunchShape(kvA.Rows, 1 + ((args.QRotated + 127) / 128), 1, 128) { What = "MLA norm, rope and kv_write" }, args);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Args
    {
        public nint Kv;
        public nint Weight;
        public nint Table;
        public nint Slots;
        public nint Pages;
        public nint Q;
        public int KvStride;
        public int TableStride;
        public int QStride;
        public int Latent;
        public int Half;
        public int Interleaved;
        public int QHeadDim;
        public int QStart;
        public int QRotated;
        public float Eps;
    }
}
