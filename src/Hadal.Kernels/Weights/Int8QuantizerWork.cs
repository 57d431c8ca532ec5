using System.Numerics;
using Hadal.Jit;
using Hadal.Kernels.Vectors;
using Hadal.Numerics;

namespace Hadal.Kernels.Weights;

internal unsafe struct Int8QuantizerWork(WeightMatrix source, sbyte* values, float* scales) : IWork
{
    private const int ChunkRows = 16;

    private int _next;

    public void Run(int worker, int numWorkers)
    {
        float* row = Scratch.Worker(source.Columns);
        while (true)
        {
            long first = (long)(Interlocked.Increment(ref _next) - 1) * ChunkRows;
            if (first >= source.Rows)
            {
                return;
            }

            for (int n = (int)first; n < Math.Min(first + ChunkRows, source.Rows); n++)
            {
                WeightDecoder.DecodeRow(source, n, 0, source.Columns, row);
                scales[n] = QuantizeRow(source, row, n, values + ((nint)n * source.Columns));
            }
        }
    }

    internal static float QuantizeRow(in WeightMatrix source, float* row, int n, sbyte* q)
    {
        int columns = source.Columns;
        int width = Vector<float>.Count;
        var max = Vector<float>.Zero;
        int k = 0;
        for (; k <= columns - width; k += width)
        {
            // Max hands a NaN on, so one look at the end finds it.
            max = Vector.Max(max, Vector.Abs(Vector.Load(row + k)));
        }

        float absMax = 0;
        for (int i = 0; i < width; i++)
        {
            absMax = MathF.Max(absMax, max[i]);
        }

        for (int i = k; i < columns; i++)
        {
            absMax = MathF.Max(absMax, MathF.Abs(row[i]));
        }

        if (!float.IsFinite(absMax))
        {
            throw new HadalException(
                $"cannot quantise to int8: row {n} of a {source.DType} weight [{source.Rows}, {columns}] holds {absMax}, expected finite numbers; the checkpoint is damaged, or load it without --weight-dtype int8");
        }

        float scale = absMax / 127;
        if (scale == 0)
        {
            // Zeros, or numbers so small that a 127th of them is none.
            new Span<sbyte>(q, columns).Clear();
            return 0;
        }

        // Divided, not multiplied by 1 / scale, which overflows for tiny scales. A subnormal scale is coarse, hence the clamp.
        k = 0;
        var divisor = new Vector<float>(scale);
        var limit = new Vector<float>(127);
        for (; k <= columns - (4 * width); k += 4 * width)
        {
            Vector<short> low = Vector.Narrow(Round(row + k), Round(row + k + width));
            Vector<short> high = Vector.Narrow(Round(row + k + (2 * width)), Round(row + k + (3 * width)));
            Vector.Store(Vector.Narrow(low, high), q + k);
        }

        for (; k < columns; k++)
        {
            q[k] = (sbyte)Math.Clamp(MathF.Round(row[k] / scale, MidpointRounding.ToEven), -127, 127);
        }

        return scale;

        Vector<int> Round(float* p)
            => Vector.ConvertToInt32(Vector.Max(-limit, Vector.Min(limit, Vector.Round(Vector.Load(p) / divisor, MidpointRounding.ToEven))));
    }
}
