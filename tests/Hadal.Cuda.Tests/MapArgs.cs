using System.Runtime.InteropServices;

namespace Hadal.Cuda.Tests;

/// <summary>MapParams of driver_tests.cu, which is aligned to 64 bytes and so 40 longer.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MapArgs
{
    internal TensorMap Map;
    internal nint Out;
    internal int Row;
    internal int Column;
    internal int Plane;
    internal int Rank;
}
