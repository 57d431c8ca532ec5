namespace Hadal.Cuda;

/// <summary>A mark on a stream. Any thread may ask for it or wait.</summary>
public sealed unsafe class CudaEvent : IDisposable
{
    private readonly EventHandle _handle;
    private readonly CudaContext _context;

    internal CudaEvent(CudaContext context, nint handle)
    {
        _context = context;
        _handle = new EventHandle(context.Handle, handle);
        Handle = handle;
    }

    /// <summary>Everything in front of the last Record is done; also true before the first.</summary>
    public bool IsDone
    {
        get
        {
            Enter();
            CudaResult result = DriverApi.cuEventQuery(Handle);
            if (result == CudaResult.NotReady)
            {
                return false;
            }

            _context.Check(result, "cuEventQuery");
            return true;
        }
    }

    internal nint Handle { get; }

    public void Synchronize()
    {
        Enter();
        _context.Check(DriverApi.cuEventSynchronize(Handle), "cuEventSynchronize");
    }

    /// <summary>Both made with timing, both done.</summary>
    public float MillisecondsSince(CudaEvent earlier)
    {
        ArgumentNullException.ThrowIfNull(earlier);
        Enter();
        float value = 0;
        _context.Check(DriverApi.cuEventElapsedTime(&value, earlier.Handle, Handle), "cuEventElapsedTime");
        return value;
    }

    public void Dispose() => _handle.Dispose();

    private void Enter()
    {
        ObjectDisposedException.ThrowIf(_handle.IsClosed, this);
        _context.Enter();
    }

    private sealed class EventHandle(ContextHandle context, nint value) : ChildHandle(context, value)
    {
        protected override CudaResult Free(nint value) => DriverApi.cuEventDestroy_v2(value);
    }
}
