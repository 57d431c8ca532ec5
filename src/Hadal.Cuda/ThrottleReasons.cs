namespace Hadal.Cuda;

/// <summary>Why a card's clocks are below their most (nvmlClocksEventReasons of nvml.h).</summary>
[Flags]
public enum ThrottleReasons : long
{
    None = 0,
    Idle = 1,
    ApplicationsClocksSetting = 2,
    SoftwarePowerCap = 4,
    HardwareSlowdown = 8,
    SyncBoost = 0x10,
    SoftwareThermalSlowdown = 0x20,
    HardwareThermalSlowdown = 0x40,
    HardwarePowerBrakeSlowdown = 0x80,
    DisplayClockSetting = 0x100,
}
