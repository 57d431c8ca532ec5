using System.Runtime.InteropServices;

namespace Hadal.Cuda;

/// <summary>nvmlUtilization_t.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NvmlUtilization
{
    internal uint Gpu;
    internal uint Memory;
}
