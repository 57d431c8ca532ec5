using System.Runtime.InteropServices;

namespace Hadal.Cuda.Tests;

/// <summary>SharedParams of driver_tests.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SharedArgs
{
    internal nint Out;
    internal int Count;
}
