using System.Runtime.InteropServices;

namespace Hadal.Cuda;

/// <summary>A GPU as the driver describes it. Immutable.</summary>
public sealed unsafe class CudaDevice
{
    internal CudaDevice(int ordinal)
    {
        Ordinal = ordinal;
        int device = 0;
        CudaDriver.Check(DriverApi.cuDeviceGet(&device, ordinal), "cuDeviceGet");
        Handle = device;

        byte* text = stackalloc byte[256];
        CudaDriver.Check(DriverApi.cuDeviceGetName(text, 256, device), "cuDeviceGetName");
        Name = Marshal.PtrToStringUTF8((nint)text) ?? "";
        CudaDriver.Check(DriverApi.cuDeviceGetPCIBusId(text, 256, device), "cuDeviceGetPCIBusId");
        PciBusId = Marshal.PtrToStringUTF8((nint)text) ?? "";
        byte* uuid = stackalloc byte[16];
        CudaDriver.Check(DriverApi.cuDeviceGetUuid_v2(uuid, device), "cuDeviceGetUuid");
        Uuid = new Guid(new ReadOnlySpan<byte>(uuid, 16), bigEndian: true);
        nuint bytes = 0;
        CudaDriver.Check(DriverApi.cuDeviceTotalMem_v2(&bytes, device), "cuDeviceTotalMem");
        TotalMemory = (long)bytes;

        // CUdevice_attribute of cuda.h.
        ClockKHz = Attribute(13);
        MultiprocessorCount = Attribute(16);
        MemoryClockKHz = Attribute(36);
        MemoryBusBits = Attribute(37);
        L2Bytes = Attribute(38);
        MaxThreadsPerMultiprocessor = Attribute(39);
        Major = Attribute(75);
        Minor = Attribute(76);
        MaxSharedBytesPerMultiprocessor = Attribute(81);
        MaxSharedBytesPerBlock = Attribute(97);
        HasMemoryPools = Attribute(115) != 0;
    }

    public int Ordinal { get; }

    public string Name { get; }

    public Guid Uuid { get; }

    /// <summary>"domain:bus:device.function", as NVML and /sys know the card.</summary>
    public string PciBusId { get; }

    /// <summary>Compute capability.</summary>
    public int Major { get; }

    public int Minor { get; }

    public int MultiprocessorCount { get; }

    public int MaxThreadsPerMultiprocessor { get; }

    public long TotalMemory { get; }

    public long L2Bytes { get; }

    /// <summary>What one block may have when its kernel asks for more than 48 KiB.</summary>
    public int MaxSharedBytesPerBlock { get; }

    public int MaxSharedBytesPerMultiprocessor { get; }

    public int ClockKHz { get; }

    public int MemoryClockKHz { get; }

    public int MemoryBusBits { get; }

    /// <summary>Stream-ordered allocation works.</summary>
    public bool HasMemoryPools { get; }

    internal int Handle { get; }

    public override string ToString() => $"{Name} (device {Ordinal}, compute capability {Major}.{Minor})";

    /// <summary>0 where the driver no longer tells (clocks, on newer drivers).</summary>
    private int Attribute(int attribute)
    {
        int value = 0;
        return DriverApi.cuDeviceGetAttribute(&value, attribute, Handle) == CudaResult.Success ? value : 0;
    }
}
