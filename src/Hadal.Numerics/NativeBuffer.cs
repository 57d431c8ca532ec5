using System.Runtime.InteropServices;

namespace Hadal.Numerics;

/// <summary>Owned native memory, aligned to 64 bytes, zeroed. Freed on dispose or by the finaliser.</summary>
/// <remarks>Large buffers cost memory only where they are touched: KV pages can be planned generously.</remarks>
public sealed unsafe partial class NativeBuffer : SafeHandle
{
    private const nuint Alignment = 64;
    private const nuint HugePageBytes = 2 << 20;

    // Linux: asm-generic/mman-common.h.
    private const int MadvHugePage = 14;

    public NativeBuffer(nuint byteLength)
        : base(0, ownsHandle: true)
    {
        ByteLength = byteLength;
        // One vector of slack behind it, so that a kernel may read (never write) a whole register at the end.
        SetHandle((nint)NativeMemory.AllocZeroed(checked(byteLength + (2 * Alignment))));
        Pointer = (byte*)(((nuint)handle + Alignment - 1) / Alignment * Alignment);
    }

    public nuint ByteLength { get; }

    public byte* Pointer { get; }

    public override bool IsInvalid => handle == 0;

    /// <summary>
    /// A buffer whose memory the operating system is asked to hold in pages of 2 MiB: for weights, which are read from end to end at every step,
    /// so that address translation does not cost bandwidth. Small ones are ordinary buffers.
    /// </summary>
    public static NativeBuffer HugePages(nuint byteLength)
    {
        if (byteLength < HugePageBytes || !OperatingSystem.IsLinux())
        {
            return new NativeBuffer(byteLength);
        }

        var buffer = new NativeBuffer(byteLength);
        nuint first = ((nuint)buffer.Pointer + HugePageBytes - 1) / HugePageBytes * HugePageBytes;
        nuint end = ((nuint)buffer.Pointer + byteLength) / HugePageBytes * HugePageBytes;
        if (end > first)
        {
            // Advice only: a refusal changes nothing but speed.
            _ = MAdvise((void*)first, end - first, MadvHugePage);
        }

        return buffer;
    }

    /// <summary>
    /// Makes a buffer of scratch at least so long, and half as long again, so that a little more next time costs nothing; what was in it is gone.
    /// Where the memory cannot be had, it is left empty: never freed and believed in.
    /// </summary>
    public static void Grow(ref NativeBuffer buffer, nuint bytes)
    {
        if (buffer.ByteLength >= bytes)
        {
            return;
        }

        var empty = new NativeBuffer(0);
        buffer.Dispose();
        buffer = empty;
        buffer = new NativeBuffer(checked(bytes + (bytes / 2)));
        empty.Dispose();
    }

    public static NativeBuffer Of<T>(nint count)
        where T : unmanaged
        => new(checked((nuint)count * (nuint)sizeof(T)));

    public T* As<T>()
        where T : unmanaged
        => (T*)Pointer;

    /// <summary>The memory as a span; only for buffers of fewer than 2^31 elements.</summary>
    public Span<T> Span<T>()
        where T : unmanaged
        => new(Pointer, checked((int)(ByteLength / (nuint)sizeof(T))));

    /// <summary>Part of the memory as a span: for buffers too long for one.</summary>
    public Span<byte> Slice(nuint byteOffset, int byteLength)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(byteOffset + (nuint)byteLength, ByteLength, nameof(byteLength));
        return new Span<byte>(Pointer + byteOffset, byteLength);
    }

    protected override bool ReleaseHandle()
    {
        NativeMemory.Free((void*)handle);
        return true;
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int MAdvise(void* address, nuint length, int advice);
}
