using System.Runtime.InteropServices;
using System.Text;

namespace Hadal.Cuda;

/// <summary>
/// What NVIDIA's management library says of a card now: power, clocks, heat. Each figure is null where the card or a container does not tell it, and there is
/// no object at all where the library is missing: nothing but reports depends on it.
/// </summary>
/// <remarks>Thread-safe. Figures take from microseconds to a few milliseconds to read: not for the path of a step.</remarks>
public sealed unsafe class NvmlDevice
{
    // nvmlClockType_t.
    private const int SmClock = 1;
    private const int MemoryClock = 2;

    // One initialisation serves the process; it is never undone, since nothing is gained by it.
    private static readonly Lazy<bool> _ready = new(static () => NvmlApi.IsReady && NativeLibraries.NvmlLibrary.Handle != 0 && Call(static () => NvmlApi.nvmlInit_v2()));

    private readonly nint _device;

    private NvmlDevice(nint device) => _device = device;

    /// <summary>Version of the driver, such as 580.65.06; null where the library is missing.</summary>
    public static string? DriverVersion
    {
        get
        {
            if (!_ready.Value)
            {
                return null;
            }

            byte* text = stackalloc byte[96];
            return NvmlApi.nvmlSystemGetDriverVersion(text, 96) == 0 ? Marshal.PtrToStringUTF8((nint)text) : null;
        }
    }

    public string? Name
    {
        get
        {
            byte* text = stackalloc byte[96];
            return NvmlApi.nvmlDeviceGetName(_device, text, 96) == 0 ? Marshal.PtrToStringUTF8((nint)text) : null;
        }
    }

    public double? PowerWatts
    {
        get
        {
            uint value = 0;
            return NvmlApi.nvmlDeviceGetPowerUsage(_device, &value) == 0 ? value / 1e3 : null;
        }
    }

    public double? PowerLimitWatts
    {
        get
        {
            uint value = 0;
            return NvmlApi.nvmlDeviceGetEnforcedPowerLimit(_device, &value) == 0 ? value / 1e3 : null;
        }
    }

    /// <summary>Since the driver was loaded: the difference of two readings is what a run took.</summary>
    public double? EnergyJoules
    {
        get
        {
            ulong value = 0;
            return NvmlApi.nvmlDeviceGetTotalEnergyConsumption(_device, &value) == 0 ? value / 1e3 : null;
        }
    }

    public int? SmClockMHz => Clock(SmClock, most: false);

    public int? MaxSmClockMHz => Clock(SmClock, most: true);

    public int? MemoryClockMHz => Clock(MemoryClock, most: false);

    public int? MaxMemoryClockMHz => Clock(MemoryClock, most: true);

    public ThrottleReasons? Throttling
    {
        get
        {
            ulong value = 0;
            return NvmlApi.nvmlDeviceGetCurrentClocksThrottleReasons(_device, &value) == 0 ? (ThrottleReasons)value : null;
        }
    }

    public int? TemperatureCelsius
    {
        get
        {
            uint value = 0;
            return NvmlApi.nvmlDeviceGetTemperature(_device, 0, &value) == 0 ? (int)value : null;
        }
    }

    /// <summary>Percent of the last sampling period in which a kernel ran, and in which memory was read or written.</summary>
    public (int Gpu, int Memory)? Utilization
    {
        get
        {
            NvmlUtilization value = default;
            return NvmlApi.nvmlDeviceGetUtilizationRates(_device, &value) == 0 ? ((int)value.Gpu, (int)value.Memory) : null;
        }
    }

    /// <summary>Bytes, of all processes.</summary>
    public (long Used, long Total)? Memory
    {
        get
        {
            NvmlMemory value = default;
            return NvmlApi.nvmlDeviceGetMemoryInfo(_device, &value) == 0 ? ((long)value.Used, (long)value.Total) : null;
        }
    }

    /// <summary>The same card, found by its PCI address; null where the library is missing or does not know it.</summary>
    public static NvmlDevice? Find(CudaDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (!_ready.Value)
        {
            return null;
        }

        nint handle = 0;
        fixed (byte* id = Encoding.UTF8.GetBytes(device.PciBusId + '\0'))
        {
            return NvmlApi.nvmlDeviceGetHandleByPciBusId_v2(id, &handle) == 0 ? new NvmlDevice(handle) : null;
        }
    }

    private static bool Call(Func<int> function)
    {
        try
        {
            return function() == 0;
        }
        catch (EntryPointNotFoundException)
        {
            return false;
        }
    }

    private int? Clock(int type, bool most)
    {
        uint value = 0;
        int result = most ? NvmlApi.nvmlDeviceGetMaxClockInfo(_device, type, &value) : NvmlApi.nvmlDeviceGetClockInfo(_device, type, &value);
        return result == 0 ? (int)value : null;
    }
}
