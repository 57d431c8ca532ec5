using System.Runtime.InteropServices;
using Hadal.Cuda;
using Hadal.Kernels.Cuda;
using Hadal.Numerics;

namespace Hadal.Kernels.Sampling;

/// <summary>The next token of each row of logits on the card: greedy, or drawn after temperature, top-k, top-p and min-p.</summary>
/// <remarks>
/// The same function as the engine's Sampler on the CPU: among equal logits and weights the lowest id comes first, the draw walks the kept ids in order,
/// top-p counts in shares of what top-k left. A row's token depends on the row, its parameters and its number alone.
/// logits: [L, V] f32, V at most 262,144, read only but for <see cref="Edit"/>; rows: [L] <see cref="SamplingRow"/>, tokens and status ([L] int32,
/// <see cref="SamplingStatus"/>) on the card. A row with a status other than 0 gets the token -1.
/// workspace: <see cref="WorkspaceBytes"/>, aligned to 16 bytes, filled with zeros once after it was allocated and owned by one stream.
/// </remarks>
public static class SamplingCuda
{
    /// <summary>Most columns of logits.</summary>
    public const int MaxVocab = 64 * Chunk;

    private const int Chunk = 4096;

    // struct Row of sampling.cu, which asserts its size.
    private const int RowBytes = 52000;

    public static long WorkspaceBytes(int numRows) => (long)numRows * RowBytes;

    /// <summary>Every row's largest logit; parameters are not read. One launch.</summary>
    public static void RunGreedy(CudaKernels kernels, CudaStream stream, in DeviceMatrix logits, nint workspace, nint tokens, nint status)
    {
        Args args = Prepare(logits, workspace, tokens, status);
        if (logits.Rows > 0)
        {
            Scan(kernels, stream, args, logits.Rows);
        }
    }

    /// <summary>Rows as their parameters say. Four launches; greedy rows are done after the first.</summary>
    public static void Run(CudaKernels kernels, CudaStream stream, in DeviceMatrix logits, nint rows, nint workspace, nint tokens, nint status)
    {
        Args args = Prepare(logits, workspace, tokens, status);
        DeviceCheck.Pointer(rows);
        args.Rows = rows;
        if (logits.Rows == 0)
        {
            return;
        }

        int chunks = (logits.Columns + Chunk - 1) / Chunk;
        Scan(kernels, stream, args, logits.Rows);
        kernels.Get("sampling", "sample_histogram").Launch(stream, new LaunchShape(chunks, logits.Rows, 1, 256) { What = "sampling: weights" }, args);
        kernels.Get("sampling", "sample_gather").Launch(stream, new LaunchShape(chunks, logits.Rows, 1, 256) { What = "sampling: candidates" }, args);
        kernels.Get("sampling", "sample_finish").Launch(stream, new LaunchShape(logits.Rows, 1, 1, 1024) { What = "sampling: draw" }, args);
    }

    /// <summary>Changes logits in place: [numEdits] <see cref="LogitEdit"/> on the card, each logit at most once.</summary>
    /// <param name="kernels">The kernels.</param>
    /// <param name="stream">The stream.</param>
    /// <param name="logits">[L, V] f32.</param>
    /// <param name="edits">The edits.</param>
    /// <param name="numEdits">[1] int32 on the card, so that one captured graph serves any number of them.</param>
    /// <param name="maxEdits">How many there may be; sizes the grid only.</param>
    public static void Edit(CudaKernels kernels, CudaStream stream, in DeviceMatrix logits, nint edits, nint numEdits, int maxEdits)
    {
        DeviceCheck.Matrix(logits, DType.F32);
        DeviceCheck.Pointer(edits);
        DeviceCheck.Pointer(numEdits);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxEdits);
        var args = new EditArgs { Logits = logits.Data, Edits = edits, NumEdits = numEdits, Stride = logits.Stride };
        kernels.Get("sampling", "edit_logits").Launch(stream, new LaunchShape(Math.Min((maxEdits + 255) / 256, 64), 1, 1, 256) { What = "edit logits" }, args);
    }

    private static Args Prepare(in DeviceMatrix logits, nint workspace, nint tokens, nint status)
    {
        DeviceCheck.Matrix(logits, DType.F32);
        DeviceCheck.Vector(workspace);
        DeviceCheck.Pointer(tokens);
        DeviceCheck.Pointer(status);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(logits.Columns, MaxVocab, nameof(logits));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(logits.Rows, 65535, nameof(logits));
        return new Args { Logits = logits.Data, Work = workspace, Tokens = tokens, Status = status, Stride = logits.Stride, Vocab = logits.Columns };
    }

    private static void Scan(CudaKernels kernels, CudaStream stream, in Args args, int rows)
        => kernels.Get("sampling", "sample_scan").Launch(stream, new LaunchShape((args.Vocab + Chunk - 1) / Chunk, rows, 1, 256) { What = "sampling: largest logit" }, args);

    [StructLayout(LayoutKind.Sequential)]
    private struct Args
    {
        public nint Logits;
        public nint Rows;
        public nint Work;
        public nint Tokens;
        public nint Status;
        public int Stride;
        public int Vocab;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct EditArgs
    {
        public nint Logits;
        public nint Edits;
        public nint NumEdits;
        public int Stride;
    }
}
