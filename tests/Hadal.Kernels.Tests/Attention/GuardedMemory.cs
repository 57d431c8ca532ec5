using System.Runtime.InteropServices;

namespace Hadal.Kernels.Tests.Attention;

/// <summary>Bytes that end where an unreadable page begins, filled with 0xFF: NaN in every float type. One byte too far is a fault, one unwritten output a NaN.</summary>
internal sealed unsafe partial class GuardedMemory : IDisposable
{
    private const int PageBytes = 4096;
    private readonly byte* _mapping;
    private readonly nint _mappedBytes;

    public GuardedMemory(nint numBytes)
    {
        nint body = Math.Max(1, (numBytes + PageBytes - 1) / PageBytes) * PageBytes;
        _mappedBytes = body + PageBytes;
        if (OperatingSystem.IsLinux())
        {
            _mapping = (byte*)MMap(0, _mappedBytes, 3, 0x22, -1, 0);
            Assert.NotEqual(-1, (nint)_mapping);
            Assert.Equal(0, MProtect((nint)_mapping + body, PageBytes, 0));
        }
        else
        {
            _mapping = (byte*)NativeMemory.AlignedAlloc((nuint)_mappedBytes, 64);
        }

        NativeMemory.Fill(_mapping, (nuint)body, 0xFF);
        Pointer = _mapping + body - numBytes;
    }

    public byte* Pointer { get; }

    public float* Floats => (float*)Pointer;

    public void Dispose()
    {
        if (OperatingSystem.IsLinux())
        {
            _ = MUnmap((nint)_mapping, _mappedBytes);
        }
        else
        {
            NativeMemory.AlignedFree(_mapping);
        }
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint MMap(nint address, nint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    private static partial int MProtect(nint address, nint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int MUnmap(nint address, nint length);
}
