namespace Hadal.Cuda;

/// <summary>Work of the device, done in the order in which it was given. May be fed by any thread, by one at a time.</summary>
/// <remarks>Copies from and to host memory are asynchronous only where it is pinned (<see cref="PinnedBuffer"/>); the memory must live until they are done.</remarks>
public sealed unsafe class CudaStream : IDisposable
{
    private readonly StreamHandle _handle;

    // What was last put on the stream: an error shows itself only later, and then this is the best name there is.
    private object? _last;
    private LaunchShape _lastShape;

    internal CudaStream(CudaContext context, nint stream)
    {
        Context = context;
        _handle = new StreamHandle(context.Handle, stream);
        Handle = stream;
    }

    public CudaContext Context { get; }

    /// <summary>CUstream.</summary>
    public nint Handle { get; }

    /// <summary>Everything given to it is done.</summary>
    public bool IsIdle
    {
        get
        {
            Enter();
            CudaResult result = DriverApi.cuStreamQuery(Handle);
            if (result == CudaResult.NotReady)
            {
                return false;
            }

            Check(result, "cuStreamQuery");
            return true;
        }
    }

    /// <summary>Between BeginCapture and EndCapture, or drawn into another stream's capture by an event.</summary>
    public bool IsCapturing
    {
        get
        {
            Enter();
            int status = 0;
            Check(DriverApi.cuStreamIsCapturing(Handle, &status), "cuStreamIsCapturing");
            return status != 0;
        }
    }

    public void CopyToDevice(nint dst, void* src, long bytes)
    {
        if (Begin(bytes))
        {
            Check(DriverApi.cuMemcpyHtoDAsync_v2(dst, src, (nuint)bytes, Handle), "cuMemcpyHtoDAsync", bytes);
        }
    }

    public void CopyToHost(void* dst, nint src, long bytes)
    {
        if (Begin(bytes))
        {
            Check(DriverApi.cuMemcpyDtoHAsync_v2(dst, src, (nuint)bytes, Handle), "cuMemcpyDtoHAsync", bytes);
        }
    }

    public void CopyOnDevice(nint dst, nint src, long bytes)
    {
        if (Begin(bytes))
        {
            Check(DriverApi.cuMemcpyDtoDAsync_v2(dst, src, (nuint)bytes, Handle), "cuMemcpyDtoDAsync", bytes);
        }
    }

    public void Fill(nint dst, byte value, long bytes)
    {
        if (Begin(bytes))
        {
            Check(DriverApi.cuMemsetD8Async(dst, value, (nuint)bytes, Handle), "cuMemsetD8Async", bytes);
        }
    }

    /// <summary>Memory from the device's pool, there for what follows on this stream. Disposing the buffer gives it back behind what the stream has been given by then.</summary>
    public DeviceBuffer Allocate(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        Enter();
        nint pointer = 0;
        CudaResult result = DriverApi.cuMemAllocAsync(&pointer, (nuint)bytes, Handle);
        if (result != CudaResult.Success)
        {
            throw Context.AllocationFailed(result, "cuMemAllocAsync", bytes);
        }

        return new DeviceBuffer(Context.Handle, pointer, bytes, _handle);
    }

    public void Record(CudaEvent e)
    {
        ArgumentNullException.ThrowIfNull(e);
        Enter();
        Check(DriverApi.cuEventRecord(e.Handle, Handle), "cuEventRecord");
    }

    /// <summary>What follows on this stream waits for the event; the caller does not.</summary>
    public void Wait(CudaEvent e)
    {
        ArgumentNullException.ThrowIfNull(e);
        Enter();
        Check(DriverApi.cuStreamWaitEvent(Handle, e.Handle, 0), "cuStreamWaitEvent");
    }

    /// <exception cref="CudaException">Something on the stream failed.</exception>
    public void Synchronize()
    {
        Enter();
        Check(DriverApi.cuStreamSynchronize(Handle), "cuStreamSynchronize");
    }

    /// <summary>From here to <see cref="EndCapture"/> nothing runs: it becomes a graph. Both on one thread; other threads go on unhindered.</summary>
    public void BeginCapture()
    {
        Enter();
        Check(DriverApi.cuStreamBeginCapture_v2(Handle, 1), "cuStreamBeginCapture"); // CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
    }

    public CudaGraph EndCapture()
    {
        Enter();
        nint graph = 0;
        Check(DriverApi.cuStreamEndCapture(Handle, &graph), "cuStreamEndCapture");
        return new CudaGraph(Context, graph);
    }

    /// <summary>Ends a capture that went wrong and drops it, so that the stream works again.</summary>
    public void AbandonCapture()
    {
        Enter();
        nint graph = 0;
        _ = DriverApi.cuStreamEndCapture(Handle, &graph);
        if (graph != 0)
        {
            _ = DriverApi.cuGraphDestroy(graph);
        }
    }

    public void Dispose() => _handle.Dispose();

    internal void Enter()
    {
        if (_handle.IsClosed)
        {
            ObjectDisposedException.ThrowIf(_handle.IsClosed, this);
        }

        Context.Enter();
    }

    /// <summary>After each launch: remembers it, and where every launch is to be waited for, waits.</summary>
    internal void Launched(object what, in LaunchShape shape)
    {
        _last = what;
        _lastShape = shape;
        if (Context.IsSynchronous && !IsCapturing)
        {
            CudaResult result = DriverApi.cuStreamSynchronize(Handle);
            if (result != CudaResult.Success)
            {
                throw Context.Failed(result, "the kernel " + what, shape.ToString());
            }
        }
    }

    private bool Begin(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Enter();
        return bytes > 0;
    }

    private void Check(CudaResult result, string call)
    {
        if (result != CudaResult.Success)
        {
            throw Context.Failed(result, call, Last());
        }
    }

    private void Check(CudaResult result, string call, long bytes)
    {
        if (result != CudaResult.Success)
        {
            string? last = Last();
            throw Context.Failed(result, call, $"{bytes:N0} bytes" + (last is null ? "" : "; " + last));
        }
    }

    private string? Last() => _last switch
    {
        null => null,
        CudaGraph graph => $"last on the stream: {graph}",
        _ => $"last on the stream: {_last}, {_lastShape}",
    };

    internal sealed class StreamHandle(ContextHandle context, nint stream) : ChildHandle(context, stream)
    {
        protected override CudaResult Free(nint value) => DriverApi.cuStreamDestroy_v2(value);
    }
}
