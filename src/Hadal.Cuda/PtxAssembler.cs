using System.Text;

namespace Hadal.Cuda;

/// <summary>The driver's own assembler: PTX to machine code for the card of a context.</summary>
internal static unsafe class PtxAssembler
{
    private const int LogBytes = 16 << 10;

    // CUjit_option of cuda.h.
    private const int InfoLog = 3;
    private const int InfoLogBytes = 4;
    private const int ErrorLog = 5;
    private const int ErrorLogBytes = 6;
    private const int Target = 9;

    // CU_TARGET_COMPUTE_90A.
    private const int Target90A = 0x10000 + 90;

    internal static byte[] Assemble(CudaContext context, string name, ReadOnlySpan<byte> ptx)
    {
        // The driver reads PTX up to a zero.
        byte[] text = new byte[ptx.Length + 1];
        ptx.CopyTo(text);

        CudaResult result = Link(context, name, text, target: 0, out byte[] image, out string log);
        if (result != CudaResult.Success && result is not CudaResult.InvalidPtx && !CudaError.IsSticky(result) && ptx.IndexOf(".target sm_90a"u8) >= 0)
        {
            // A linker that takes its target from the context as plain sm_90 refuses what only sm_90a has; naming the target settles it.
            result = Link(context, name, text, Target90A, out image, out string second);
            log += second;
        }

        return result == CudaResult.Success ? image : throw context.Failed(result, "assembling " + name, log.Length > 0 ? "the driver's log: " + log : null);
    }

    /// <summary>How the driver takes the PTX, each way: for tests.</summary>
    internal static string Report(CudaContext context, string name, ReadOnlySpan<byte> ptx)
    {
        byte[] text = [.. ptx, 0];
        CudaResult plain = Link(context, name, text, target: 0, out byte[] first, out _);
        CudaResult named = Link(context, name, text, Target90A, out byte[] second, out _);
        return $"target of the context: {plain}, {first.Length} bytes; sm_90a: {named}, {second.Length} bytes";
    }

    private static CudaResult Link(CudaContext context, string name, byte[] ptx, int target, out byte[] image, out string log)
    {
        context.Enter();
        byte[] info = new byte[LogBytes];
        byte[] errors = new byte[LogBytes];
        image = [];
        int* options = stackalloc int[] { InfoLog, InfoLogBytes, ErrorLog, ErrorLogBytes, Target };
        void** values = stackalloc void*[5];
        nint state = 0;
        fixed (byte* infoText = info, errorText = errors, data = ptx, label = Encoding.UTF8.GetBytes(name + ".ptx\0"))
        {
            values[0] = infoText;
            values[1] = (void*)LogBytes;
            values[2] = errorText;
            values[3] = (void*)LogBytes;
            values[4] = (void*)target;
            CudaResult result = DriverApi.cuLinkCreate_v2(target == 0 ? 4u : 5u, options, values, &state);
            if (result == CudaResult.Success)
            {
                result = DriverApi.cuLinkAddData_v2(state, 1, data, (nuint)ptx.Length, label, 0, null, null); // CU_JIT_INPUT_PTX
                void* cubin = null;
                nuint bytes = 0;
                if (result == CudaResult.Success && (result = DriverApi.cuLinkComplete(state, &cubin, &bytes)) == CudaResult.Success)
                {
                    image = new ReadOnlySpan<byte>(cubin, checked((int)bytes)).ToArray();
                }

                _ = DriverApi.cuLinkDestroy(state);
            }

            log = Text(errors) is { Length: > 0 } e ? e : Text(info);
            return result;
        }
    }

    private static string Text(byte[] log)
    {
        int end = Array.IndexOf(log, (byte)0);
        return Encoding.UTF8.GetString(log, 0, end < 0 ? log.Length : end).Trim();
    }
}
