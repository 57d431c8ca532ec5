namespace Hadal.Cuda;

/// <summary>Owned device memory. Any thread may dispose it; plain memory is freed once the device no longer uses it, so that disposing may wait.</summary>
public sealed class DeviceBuffer : IDisposable
{
    private readonly MemoryHandle _handle;

    internal DeviceBuffer(ContextHandle context, nint pointer, long byteLength, CudaStream.StreamHandle? stream = null)
    {
        _handle = new MemoryHandle(context, pointer, stream);
        Pointer = pointer;
        ByteLength = byteLength;
    }

    /// <summary>CUdeviceptr.</summary>
    public nint Pointer { get; }

    public long ByteLength { get; }

    public void Dispose() => _handle.Dispose();

    private sealed class MemoryHandle : ChildHandle
    {
        private readonly CudaStream.StreamHandle? _stream;

        internal MemoryHandle(ContextHandle context, nint pointer, CudaStream.StreamHandle? stream)
            : base(context, pointer)
        {
            _stream = stream;
            bool added = false;
            stream?.DangerousAddRef(ref added);
        }

        protected override CudaResult Free(nint value)
            => _stream is null ? DriverApi.cuMemFree_v2(value) : DriverApi.cuMemFreeAsync(value, _stream.DangerousGetHandle());

        protected override bool ReleaseHandle()
        {
            bool freed = base.ReleaseHandle();
            _stream?.DangerousRelease();
            return freed;
        }
    }
}
