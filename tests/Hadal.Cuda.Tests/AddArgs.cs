using System.Runtime.InteropServices;

namespace Hadal.Cuda.Tests;

/// <summary>AddParams of driver_tests.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AddArgs
{
    internal nint In;
    internal nint Out;
    internal int Count;
    internal float Value;
}
