using System.Runtime.InteropServices;
using Hadal.Cuda;
using Hadal.Kernels.Cuda;

namespace Hadal.Kernels.Bandwidth;

/// <summary>Measures how fast a card's memory is read by a kernel that does nothing else.</summary>
public static class DeviceBandwidth
{
    private const long Bytes = 1L << 30;
    private const int ReadsPerLaunch = 256 * 8;

    /// <summary>The best of a few reads of 1 GiB, far more than any cache holds.</summary>
    /// <returns>1e9 bytes a second.</returns>
    public static double MeasureReadGBps(CudaKernels kernels, CudaStream stream)
    {
        CudaContext context = kernels.Context;
        using DeviceBuffer data = context.Allocate(Bytes);
        using DeviceBuffer sink = context.Allocate(256);
        using CudaEvent start = context.NewEvent(timing: true);
        using CudaEvent end = context.NewEvent(timing: true);
        stream.Fill(data.Pointer, 0x5A, Bytes);
        CudaFunction function = kernels.Get("read_bandwidth", "read_bandwidth");
        var args = new Args { Data = data.Pointer, Sink = sink.Pointer, Count = Bytes / 16 / ReadsPerLaunch * ReadsPerLaunch };
        var shape = new LaunchShape(context.Device.MultiprocessorCount * 8, 1, 1, 256) { Programmatic = false };
        double best = double.PositiveInfinity;
        for (int i = 0; i < 8; i++)
        {
            stream.Record(start);
            function.Launch(stream, shape, args);
            stream.Record(end);
            end.Synchronize();
            best = Math.Min(best, end.MillisecondsSince(start));
        }

        return Bytes / best / 1e6;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Args
    {
        public nint Data;
        public nint Sink;
        public long Count;
    }
}
