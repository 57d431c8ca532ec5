using System.Diagnostics;
using System.Numerics;
using System.Runtime.InteropServices;
using Hadal.Numerics;

namespace Hadal.Jit;

/// <summary>How fast all workers together read memory that no cache holds: the ceiling of decoding.</summary>
public static class ReadBandwidth
{
    /// <param name="pool">Workers that read.</param>
    /// <param name="bufferMiB">Size of what is read.</param>
    /// <returns>GB/s, the best of some passes: the machine's, not the moment's.</returns>
    public static double MeasureGBps(WorkerPool pool, int bufferMiB = 512)
    {
        using NativeBuffer buffer = NativeBuffer.HugePages((nuint)bufferMiB << 20);
        for (int at = 0; at < bufferMiB; at++)
        {
            buffer.Slice((nuint)at << 20, 1 << 20).Fill(1);
        }

        double best = 0;
        for (int pass = 0; pass < 6; pass++)
        {
            var work = new Sum(buffer, bufferMiB);
            long start = Stopwatch.GetTimestamp();
            pool.Run(ref work);
            best = Math.Max(best, ((double)bufferMiB * (1 << 20)) / Stopwatch.GetElapsedTime(start).TotalSeconds / 1e9);
        }

        return best;
    }

    private readonly struct Sum(NativeBuffer buffer, int bufferMiB) : IWork
    {
        public void Run(int worker, int numWorkers)
        {
            int first = bufferMiB * worker / numWorkers;
            int end = bufferMiB * (worker + 1) / numWorkers;
            Vector<long> a = default, b = default, c = default, d = default;
            for (int at = first; at < end; at++)
            {
                ReadOnlySpan<Vector<long>> chunk = MemoryMarshal.Cast<byte, Vector<long>>(buffer.Slice((nuint)at << 20, 1 << 20));
                for (int i = 0; i + 3 < chunk.Length; i += 4)
                {
                    a += chunk[i];
                    b += chunk[i + 1];
                    c += chunk[i + 2];
                    d += chunk[i + 3];
                }
            }

            if (Vector.Sum(a + b + c + d) == 1)
            {
                throw new InvalidOperationException("the sum keeps the reads alive");
            }
        }
    }
}
