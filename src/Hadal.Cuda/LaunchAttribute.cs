using System.Runtime.InteropServices;

namespace Hadal.Cuda;

/// <summary>CUlaunchAttribute of cuda.h: an id, padding to 8 bytes, and a union of 64 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 72)]
internal struct LaunchAttribute
{
    internal const int ClusterDimension = 4;
    internal const int ProgrammaticStreamSerialization = 6;

    [FieldOffset(0)]
    internal int Id;

    /// <summary>The only value, or the first of three dimensions.</summary>
    [FieldOffset(8)]
    internal uint X;

    [FieldOffset(12)]
    internal uint Y;

    [FieldOffset(16)]
    internal uint Z;
}
