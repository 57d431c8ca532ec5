using System.Runtime.InteropServices;
using Hadal.Cuda;
using Hadal.Kernels.Cuda;
using Hadal.Numerics;

namespace Hadal.Kernels.Rope;

/// <summary><see cref="RopeTable"/> on the card: cosines, then sines, of the step's positions.</summary>
/// <remarks>positions: [T] int32, frequencies: [R/2] f32, both on the card; table: [T, R] f32. Right to the last bit or the one before at every position.</remarks>
public static class RopeTableCuda
{
    public static void Run(CudaKernels kernels, CudaStream stream, nint positions, nint frequencies, float magnitude, in DeviceMatrix table)
    {
        DeviceCheck.Matrix(table, DType.F32);
        DeviceCheck.Pointer(positions);
        DeviceCheck.Pointer(frequencies);
        ArgumentOutOfRangeException.ThrowIfNotEqual(table.Columns % 2, 0, nameof(table));
        if (table.Rows == 0)
        {
            return;
        }

        int half = table.Columns / 2;
        var args = new Args { Positions = positions, Frequencies = frequencies, Table = table.Data, Stride = table.Stride, Half = half, NumTokens = table.Rows, Magnitude = magnitude };
        kernels.Get("rope", "rope_table").Launch(stream, new LaunchShape((checked(table.Rows * half) + 127) / 128, 1, 1, 128) { What = "rope_table" }, args);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Args
    {
        public nint Positions;
        public nint Frequencies;
        public nint Table;
        public int Stride;
        public int Half;
        public int NumTokens;
        public float Magnitude;
    }
}
