namespace Hadal.Cuda;

/// <summary>Owned host memory that the device reads and writes directly.</summary>
public sealed unsafe class PinnedBuffer : IDisposable
{
    private readonly PinnedHandle _handle;

    internal PinnedBuffer(ContextHandle context, void* pointer, long byteLength)
    {
        _handle = new PinnedHandle(context, (nint)pointer);
        Pointer = (byte*)pointer;
        ByteLength = byteLength;
    }

    public byte* Pointer { get; }

    public long ByteLength { get; }

    /// <summary>The memory as a span; only for buffers of fewer than 2^31 elements.</summary>
    public Span<T> Span<T>()
        where T : unmanaged
    {
        ObjectDisposedException.ThrowIf(_handle.IsClosed, this);
        return new Span<T>(Pointer, checked((int)(ByteLength / sizeof(T))));
    }

    public void Dispose() => _handle.Dispose();

    private sealed class PinnedHandle(ContextHandle context, nint value) : ChildHandle(context, value)
    {
        protected override CudaResult Free(nint value) => DriverApi.cuMemFreeHost((void*)value);
    }
}
