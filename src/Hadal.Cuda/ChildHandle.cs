using System.Runtime.InteropServices;

namespace Hadal.Cuda;

/// <summary>Something that lives in a context and is given back on dispose, or by the finaliser, on any thread. In a broken context it is left: the driver refuses everything there.</summary>
internal abstract class ChildHandle : SafeHandle
{
    protected ChildHandle(ContextHandle context, nint value)
        : base(0, ownsHandle: true)
    {
        Owner = context;
        bool added = false;
        context.DangerousAddRef(ref added);
        SetHandle(value);
    }

    public override bool IsInvalid => handle == 0;

    protected ContextHandle Owner { get; }

    protected abstract CudaResult Free(nint value);

    protected override bool ReleaseHandle()
    {
        CudaResult result = CudaResult.Success;
        try
        {
            if (Owner.Broken is null)
            {
                Owner.MakeCurrent();
                result = Free(handle);
            }
        }
        catch (CudaException)
        {
            // Nothing to give back to: the driver is going down.
        }
        finally
        {
            Owner.DangerousRelease();
        }

        return result == CudaResult.Success;
    }
}
