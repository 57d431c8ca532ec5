using System.Runtime.InteropServices;
using Hadal.Cuda;
using Hadal.Kernels.Cuda;
using Hadal.Numerics;

namespace Hadal.Kernels.Embedding;

/// <summary>y[t, :] = table[tokens[t], :]</summary>
/// <remarks>table: [V, D] bf16, or f32 where y is; tokens: [T] int32 on the card; y: [T, D] f32 or bf16. An id outside the table gives a row of NaN, which sampling refuses.</remarks>
public static class EmbedCuda
{
    public static void Run(CudaKernels kernels, CudaStream stream, in DeviceMatrix table, nint tokens, in DeviceMatrix y)
    {
        DeviceCheck.Floats(y);
        DeviceCheck.Matrix(table, DType.Bf16, y.DType);
        DeviceCheck.Pointer(tokens);
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Columns, table.Columns, nameof(y));
        if (y.Rows == 0)
        {
            return;
        }

        var args = new Args { Table = table.Data, Tokens = tokens, Y = y.Data, TableStride = table.Stride, YStride = y.Stride, Width = y.Columns, Vocab = table.Rows };
        kernels.Get("embed", table.DType == DType.F32 ? "embed_f32_f32" : y.DType == DType.F32 ? "embed_f32" : "embed_bf16")
            .Launch(stream, new LaunchShape(y.Rows, (y.Columns + 2047) / 2048, 1, 256) { What = "embed" }, args);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Args
    {
        public nint Table;
        public nint Tokens;
        public nint Y;
        public long TableStride;
        public int YStride;
        public int Width;
        public int Vocab;
    }
}
