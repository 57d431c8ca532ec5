using Hadal.Numerics;

namespace Hadal.Kernels.Vectors;

/// <summary>Working memory of the calling thread: grown to the largest need so far, kept for the next call, freed with the thread.</summary>
/// <remarks>
/// A kernel's tiles must survive neither the call nor the thread, and every worker needs its own; passing them through every
/// contract would put the kernels' insides into the graph. There are two slots: the one that runs a kernel is itself a worker.
/// </remarks>
internal static unsafe class Scratch
{
    [ThreadStatic]
    private static NativeBuffer? t_worker;

    [ThreadStatic]
    private static NativeBuffer? t_call;

    /// <summary>A worker's own tiles. Contents are undefined; valid until the same thread asks again.</summary>
    public static float* Worker(nint floats) => Get(ref t_worker, floats);

    /// <summary>What a call shares among its workers; asked for by the caller before it starts them.</summary>
    public static float* Call(nint floats) => Get(ref t_call, floats);

    private static float* Get(ref NativeBuffer? buffer, nint floats)
    {
        if (buffer is null || buffer.ByteLength < (nuint)floats * sizeof(float))
        {
            buffer?.Dispose();
            buffer = null;
            buffer = NativeBuffer.Of<float>(floats + (floats / 4));
        }

        return buffer.As<float>();
    }
}
