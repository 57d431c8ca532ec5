using System.Runtime.InteropServices;

namespace Hadal.TestKit;

/// <summary>Native memory that ends exactly at a page nobody may touch: one byte past the end faults.</summary>
/// <remarks>All bytes are 0xFF at first. Those before the start, back to the page's beginning, are the sentinels that <see cref="CheckSentinels"/> compares. Linux and macOS; elsewhere only sentinels.</remarks>
public sealed unsafe partial class GuardedBuffer : IDisposable
{
    // NaN in every float type: an output that was not written shows.
    private const byte Sentinel = 0xFF;
    private readonly byte* _mapping;
    private readonly nuint _mappingBytes;
    private readonly nuint _bodyBytes;
    private readonly bool _mapped;

    public GuardedBuffer(nint byteLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(byteLength);
        nuint page = (nuint)Environment.SystemPageSize;
        // At least one whole page in front, so that there are sentinels even for lengths that fill their pages.
        _bodyBytes = (((nuint)byteLength + page - 1) / page * page) + page;
        _mappingBytes = _bodyBytes + page;
        ByteLength = byteLength;
        _mapped = !OperatingSystem.IsWindows();
        if (_mapped)
        {
            int anonymous = OperatingSystem.IsMacOS() ? 0x1000 : 0x20;
            void* map = Map(null, _mappingBytes, 3, 2 | anonymous, -1, 0);
            if ((nint)map == -1 || Protect((byte*)map + _bodyBytes, page, 0) != 0)
            {
                throw new InvalidOperationException($"mmap of {_mappingBytes} bytes failed: errno {Marshal.GetLastPInvokeError()}");
            }

            _mapping = (byte*)map;
        }
        else
        {
            _mapping = (byte*)NativeMemory.AlignedAlloc(_mappingBytes, page);
        }

        NativeMemory.Fill(_mapping, _bodyBytes, Sentinel);
        Pointer = _mapping + _bodyBytes - byteLength;
    }

    public nint ByteLength { get; }

    /// <summary>The first byte. Aligned only as the length is: the end is what lies at a page's edge.</summary>
    public byte* Pointer { get; }

    public static GuardedBuffer Of<T>(nint count)
        where T : unmanaged
        => new(checked(count * sizeof(T)));

    /// <summary>A copy of <paramref name="values"/> in guarded memory.</summary>
    public static GuardedBuffer Copy<T>(ReadOnlySpan<T> values)
        where T : unmanaged
    {
        GuardedBuffer buffer = Of<T>(values.Length);
        values.CopyTo(buffer.Span<T>());
        return buffer;
    }

    /// <summary>Floats from -1 to 1.</summary>
    public static GuardedBuffer Uniform(Random random, int count)
    {
        GuardedBuffer buffer = Of<float>(count);
        foreach (ref float v in buffer.Span<float>())
        {
            v = (2 * random.NextSingle()) - 1;
        }

        return buffer;
    }

    public T* As<T>()
        where T : unmanaged
        => (T*)Pointer;

    public Span<T> Span<T>()
        where T : unmanaged
        => new(Pointer, checked((int)(ByteLength / sizeof(T))));

    /// <summary>Throws if a byte before the start was written.</summary>
    public void CheckSentinels()
    {
        for (byte* p = _mapping; p < Pointer; p++)
        {
            if (*p != Sentinel)
            {
                throw new InvalidOperationException($"the byte {Pointer - p} before the buffer was overwritten with {*p:X2}");
            }
        }
    }

    public void Dispose()
    {
        if (_mapped)
        {
            _ = Unmap(_mapping, _mappingBytes);
        }
        else
        {
            NativeMemory.AlignedFree(_mapping);
        }
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial void* Map(void* address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    private static partial int Protect(void* address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int Unmap(void* address, nuint length);
}
