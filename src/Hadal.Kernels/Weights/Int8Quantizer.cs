using Hadal.Jit;

namespace Hadal.Kernels.Weights;

/// <summary>scale[n] = max_k |W[n, k]| / 127; q[n, k] = round(W[n, k] / scale[n]), ties to even: symmetric int8 with one scale a row.</summary>
/// <remarks>
/// W: [N, K] in any stored type; values: [N, K] int8, contiguous; scales: [N] f32. |W - q · scale| is at most scale / 2 and a rounding of the division.
/// A row of zeros gets scale 0. Parallel over rows; for load time: it may grow a worker's scratch.
/// </remarks>
public static unsafe class Int8Quantizer
{
    /// <exception cref="Numerics.HadalException">A weight is not finite, or of a type that cannot be computed with.</exception>
    public static void Quantize(WorkerPool pool, in WeightMatrix source, sbyte* values, float* scales)
    {
        WeightDecoder.Validate(source, nameof(source));
        if (source.Rows == 0)
        {
            return;
        }

        ArgumentNullException.ThrowIfNull(scales);
        if (source.Columns > 0)
        {
            ArgumentNullException.ThrowIfNull(values);
        }

        var work = new Int8QuantizerWork(source, values, scales);
        pool.Run(ref work);
    }

    /// <summary>The quantised matrix as kernels take it.</summary>
    public static WeightMatrix Describe(sbyte* values, float* scales, int rows, int columns) => new()
    {
        Data = (byte*)values,
        DType = Numerics.DType.I8,
        Rows = rows,
        Columns = columns,
        RowBytes = columns,
        Scales = scales,
        ScaleLayout = ScaleLayout.PerRow,
    };
}
