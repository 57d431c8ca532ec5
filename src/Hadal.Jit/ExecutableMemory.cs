using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Hadal.Jit;

/// <summary>
/// Pages of machine code: written while they are writable, then made executable for good. Never both at once.
/// </summary>
/// <remarks>Linux x86-64, the System V calling convention. Freed on dispose: nothing may run in it then.</remarks>
public sealed unsafe partial class ExecutableMemory : SafeHandle
{
    private const int ProtRead = 1;
    private const int ProtWrite = 2;
    private const int ProtExec = 4;
    private const int MapPrivateAnonymous = 0x22;

    private readonly nuint _length;

    private ExecutableMemory(nint address, nuint length)
        : base(-1, ownsHandle: true)
    {
        _length = length;
        SetHandle(address);
    }

    public override bool IsInvalid => handle is 0 or -1;

    /// <summary>Entry point of the code.</summary>
    public void* Entry => (void*)handle;

    /// <summary>An address for code of some length, so that it can be assembled for where it will lie, and the pages to put it in.</summary>
    /// <exception cref="Win32Exception">The operating system gives no such pages.</exception>
    public static ExecutableMemory Create(ReadOnlySpan<byte> code)
    {
        nuint page = (nuint)Environment.SystemPageSize;
        nuint length = ((nuint)code.Length + page - 1) / page * page;
        nint address = Map(0, length, ProtRead | ProtWrite, MapPrivateAnonymous, -1, 0);
        if (address == -1)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError(), "mmap for generated code");
        }

        var memory = new ExecutableMemory(address, length);
        code.CopyTo(new Span<byte>((void*)address, code.Length));
        // What is not code traps.
        new Span<byte>((byte*)address + code.Length, (int)length - code.Length).Fill(0xCC);
        if (Protect(address, length, ProtRead | ProtExec) != 0)
        {
            int error = Marshal.GetLastPInvokeError();
            memory.Dispose();
            throw new Win32Exception(error, "mprotect for generated code");
        }

        return memory;
    }

    protected override bool ReleaseHandle() => Unmap(handle, _length) == 0;

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Unmap(nint address, nuint length);
}
