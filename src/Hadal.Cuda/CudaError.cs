using System.Runtime.InteropServices;
using System.Text;

namespace Hadal.Cuda;

/// <summary>Words for what the driver said.</summary>
internal static unsafe class CudaError
{
    /// <summary>Errors after which the driver answers every call on the context with the same error (CUDA driver API, CUresult).</summary>
    internal static bool IsSticky(CudaResult result) => result is
        CudaResult.EccUncorrectable or CudaResult.NvlinkUncorrectable or CudaResult.ContainedError or CudaResult.IllegalAddress or CudaResult.LaunchTimeout
        or CudaResult.ContextIsDestroyed or CudaResult.Assert or CudaResult.HardwareStackError or CudaResult.IllegalInstruction
        or CudaResult.MisalignedAddress or CudaResult.InvalidAddressSpace or CudaResult.InvalidPc or CudaResult.LaunchFailed
        or CudaResult.Deinitialized or CudaResult.Unknown;

    internal static string Name(CudaResult result)
    {
        byte* name = null;
        byte* text = null;
        _ = DriverApi.cuGetErrorName(result, &name);
        _ = DriverApi.cuGetErrorString(result, &text);
        string number = "error " + (int)result;
        return (Marshal.PtrToStringUTF8((nint)name) ?? number) + (text == null ? "" : ", " + Marshal.PtrToStringUTF8((nint)text));
    }

    /// <summary>What whoever reads the message can do about it.</summary>
    internal static string Advice(CudaResult result) => result switch
    {
        CudaResult.OutOfMemory => "Use a smaller model, weights of fewer bits or a smaller KV cache, or end what else holds memory on this card (nvidia-smi lists it).",
        CudaResult.NoDevice => "The driver is there but sees no GPU: see whether nvidia-smi lists one, whether CUDA_VISIBLE_DEVICES hides it, and whether a container was started with access to it.",
        CudaResult.StubLibrary => "The libcuda found is the toolkit's stub, which only links: put the driver's own in front of it.",
        CudaResult.UnsupportedPtxVersion => "The driver is older than these kernels: 525 (CUDA 12.0) is the oldest for sm_80, 545 (CUDA 12.3) for sm_90a.",
        CudaResult.NoBinaryForGpu or CudaResult.InvalidImage => "The code is not for this card; kernels need compute capability 8.0 or more.",
        CudaResult.JitCompilerNotFound => "The driver's assembler is missing (libnvidia-ptxjitcompiler.so.1): it comes with the driver; a container needs the 'compute' driver capability.",
        CudaResult.SystemDriverMismatch => "libcuda and the kernel's NVIDIA module have different versions: restart after the driver's update.",
        CudaResult.SystemNotReady => "The system is not ready for CUDA: on machines with NVSwitch, see whether nvidia-fabricmanager runs.",
        CudaResult.LaunchOutOfResources => "The kernel needs more registers or shared memory than one block may have on this card.",
        CudaResult.StreamCaptureUnsupported or CudaResult.StreamCaptureInvalidated => "A call that may not be captured was made between BeginCapture and EndCapture.",
        CudaResult.EccUncorrectable => "The card's memory has an uncorrectable error: see nvidia-smi -q -d ECC.",
        _ => "",
    };

    /// <summary>"cuX(kernel, grid, ...) failed on NVIDIA H100 (device 0): CUDA_ERROR_X, text. Advice."</summary>
    internal static string Describe(CudaResult result, string call, string? detail, CudaDevice? device)
    {
        var text = new StringBuilder(call);
        if (!string.IsNullOrEmpty(detail))
        {
            text.Append(" (").Append(detail).Append(')');
        }

        text.Append(" failed");
        if (device is not null)
        {
            text.Append(" on ").Append(device);
        }

        text.Append(": ").Append(Name(result)).Append('.');
        string advice = Advice(result);
        if (advice.Length > 0)
        {
            text.Append(' ').Append(advice);
        }

        return text.ToString();
    }
}
