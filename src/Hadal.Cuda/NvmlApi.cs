using System.Runtime.InteropServices;

namespace Hadal.Cuda;

/// <summary>The functions of libnvidia-ml.so.1 used here (NVML API reference). 0 is success.</summary>
internal static unsafe partial class NvmlApi
{
    private const string Lib = NativeLibraries.Nvml;

    internal static bool IsReady { get; } = NativeLibraries.Install();

    [LibraryImport(Lib)] internal static partial int nvmlInit_v2();

    [LibraryImport(Lib)] internal static partial int nvmlSystemGetDriverVersion(byte* text, uint length);

    [LibraryImport(Lib)] internal static partial int nvmlDeviceGetHandleByPciBusId_v2(byte* id, nint* device);

    [LibraryImport(Lib)] internal static partial int nvmlDeviceGetName(nint device, byte* text, uint length);

    [LibraryImport(Lib)] internal static partial int nvmlDeviceGetPowerUsage(nint device, uint* milliwatts);

    [LibraryImport(Lib)] internal static partial int nvmlDeviceGetEnforcedPowerLimit(nint device, uint* milliwatts);

    [LibraryImport(Lib)] internal static partial int nvmlDeviceGetTotalEnergyConsumption(nint device, ulong* millijoules);

    [LibraryImport(Lib)] internal static partial int nvmlDeviceGetClockInfo(nint device, int type, uint* mhz);

    [LibraryImport(Lib)] internal static partial int nvmlDeviceGetMaxClockInfo(nint device, int type, uint* mhz);

    [LibraryImport(Lib)] internal static partial int nvmlDeviceGetCurrentClocksThrottleReasons(nint device, ulong* reasons);

    [LibraryImport(Lib)] internal static partial int nvmlDeviceGetTemperature(nint device, int sensor, uint* celsius);

    [LibraryImport(Lib)] internal static partial int nvmlDeviceGetUtilizationRates(nint device, NvmlUtilization* rates);

    [LibraryImport(Lib)] internal static partial int nvmlDeviceGetMemoryInfo(nint device, NvmlMemory* memory);
}
