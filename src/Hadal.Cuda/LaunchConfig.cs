using System.Runtime.InteropServices;

namespace Hadal.Cuda;

/// <summary>CUlaunchConfig of cuda.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct LaunchConfig
{
    internal uint GridX;
    internal uint GridY;
    internal uint GridZ;
    internal uint BlockX;
    internal uint BlockY;
    internal uint BlockZ;
    internal uint SharedBytes;
    internal nint Stream;
    internal LaunchAttribute* Attributes;
    internal uint NumAttributes;
}
