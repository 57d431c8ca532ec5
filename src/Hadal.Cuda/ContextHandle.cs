using System.Runtime.InteropServices;

namespace Hadal.Cuda;

/// <summary>A retained primary context. Everything made in it holds a reference, so that it is released last, in whatever order things are disposed.</summary>
internal sealed class ContextHandle : SafeHandle
{
    // What this thread last made current, so that most calls need not ask the driver. Nothing else in this process sets contexts.
    [ThreadStatic]
    private static ContextHandle? t_current;

    private CudaException? _broken;

    internal ContextHandle(CudaDevice device, nint context)
        : base(0, ownsHandle: true)
    {
        Device = device;
        SetHandle(context);
    }

    public override bool IsInvalid => handle == 0;

    internal CudaDevice Device { get; }

    /// <summary>The first sticky error; null while the context works.</summary>
    internal CudaException? Broken => Volatile.Read(ref _broken);

    internal void Break(CudaException first) => Interlocked.CompareExchange(ref _broken, first, null);

    internal void MakeCurrent()
    {
        if (!ReferenceEquals(t_current, this))
        {
            CudaResult result = DriverApi.cuCtxSetCurrent(handle);
            if (result != CudaResult.Success)
            {
                throw new CudaException(result, isSticky: CudaError.IsSticky(result), CudaError.Describe(result, "cuCtxSetCurrent", null, Device));
            }

            t_current = this;
        }
    }

    protected override bool ReleaseHandle() => DriverApi.cuDevicePrimaryCtxRelease_v2(Device.Handle) == CudaResult.Success;
}
