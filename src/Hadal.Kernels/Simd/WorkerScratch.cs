using Hadal.Numerics;

namespace Hadal.Kernels.Simd;

/// <summary>A worker's own scratch memory, kept for its life and grown to the largest request.</summary>
/// <remarks>
/// Thread-static, since kernels know threads only by a worker number that other pools use too; a pool's workers live as long as
/// the engine, so in steady state nothing is allocated. The buffer's finaliser frees it some time after its thread has ended.
/// One user at a time: what <see cref="Rent"/> returned is void after the next call on the same thread.
/// </remarks>
internal static unsafe class WorkerScratch
{
    [ThreadStatic]
    private static NativeBuffer? _buffer;

    public static float* Rent(nint floats)
    {
        NativeBuffer? buffer = _buffer;
        nuint bytes = (nuint)floats * sizeof(float);
        if (buffer is null || buffer.ByteLength < bytes)
        {
            buffer?.Dispose();
            _buffer = buffer = new NativeBuffer(bytes);
        }

        return buffer.As<float>();
    }
}
