using Hadal.Jit;

namespace Hadal.Kernels.Vectors;

/// <summary>How even work is shared out: contiguous ranges, as many workers as it pays for.</summary>
internal static class Split
{
    // What one core streams in about three microseconds; waking a worker and meeting it again costs one or two.
    private const long BytesPerWorker = 128 * 1024;

    /// <summary>Workers worth starting for so many bytes moved; 1 means the caller does it alone, without a barrier.</summary>
    public static int Crew(WorkerPool pool, long bytes) => (int)Math.Clamp(bytes / BytesPerWorker, 1, pool.NumWorkers);

    /// <summary>The share of <paramref name="worker"/> of <paramref name="units"/>.</summary>
    public static (int From, int To) Range(int units, int worker, int numWorkers)
        => ((int)((long)units * worker / numWorkers), (int)((long)units * (worker + 1) / numWorkers));
}
