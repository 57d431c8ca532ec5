using System.Runtime.InteropServices;

namespace Hadal.Cuda;

/// <summary>nvmlMemory_t.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NvmlMemory
{
    internal ulong Total;
    internal ulong Free;
    internal ulong Used;
}
