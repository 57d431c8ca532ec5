using System.Runtime.InteropServices;

namespace Hadal.Numerics;

/// <summary>Owned native memory, aligned to 64 bytes, zeroed. Freed on dispose or by the finaliser.</summary>
public sealed unsafe class NativeBuffer : SafeHandle
{
    private const nuint Alignment = 64;

    public NativeBuffer(nuint byteLength)
        : base(0, ownsHandle: true)
    {
        ByteLength = byteLength;
        // One vector of slack, so that a kernel may read (never write) a whole register at the end.
        nuint bytes = checked(byteLength + (2 * Alignment) - 1) / Alignment * Alignment;
        SetHandle((nint)NativeMemory.AlignedAlloc(bytes, Alignment));
        NativeMemory.Clear((void*)handle, bytes);
    }

    public nuint ByteLength { get; }

    public byte* Pointer => (byte*)handle;

    public override bool IsInvalid => handle == 0;

    public static NativeBuffer Of<T>(nint count)
        where T : unmanaged
        => new(checked((nuint)count * (nuint)sizeof(T)));

    public T* As<T>()
        where T : unmanaged
        => (T*)handle;

    /// <summary>The memory as a span; only for buffers of fewer than 2^31 elements.</summary>
    public Span<T> Span<T>()
        where T : unmanaged
        => new((void*)handle, checked((int)(ByteLength / (nuint)sizeof(T))));

    protected override bool ReleaseHandle()
    {
        NativeMemory.AlignedFree((void*)handle);
        return true;
    }
}
