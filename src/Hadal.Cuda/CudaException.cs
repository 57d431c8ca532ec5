using Hadal.Numerics;

namespace Hadal.Cuda;

/// <summary>A call of the CUDA driver failed; the message names the call, the kernel and its shape, the device, and what to do.</summary>
public sealed class CudaException : HadalException
{
    public CudaException(CudaResult result, bool isSticky, string message)
        : base(message)
    {
        Result = result;
        IsSticky = isSticky;
    }

    public CudaException()
    {
    }

    public CudaException(string message)
        : base(message)
    {
    }

    public CudaException(string message, Exception inner)
        : base(message, inner)
    {
    }

    public CudaResult Result { get; }

    /// <summary>The context is lost with everything in it: every later call on it is refused, and only a new process gets the device back.</summary>
    public bool IsSticky { get; }
}
