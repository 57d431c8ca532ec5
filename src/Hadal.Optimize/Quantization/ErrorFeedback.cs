using Hadal.Kernels;
using Hadal.Kernels.MatMul;
using Hadal.Optimize.Calibration;

namespace Hadal.Optimize.Quantization;

/// <summary>
/// What GPTQ (arXiv:2210.17323) needs of a matrix's inputs: U upper triangular with H⁻¹ = Uᵀ·U, where H are the second moments of the inputs, damped.
/// Rounding column i makes an error that the columns behind it take up by row i of U.
/// </summary>
/// <remarks>
/// H = R·Rᵀ with R upper triangular (Cholesky from the last row up) makes U = R⁻¹ without ever forming H⁻¹. Inputs wider than <see cref="SegmentColumns"/> are cut into segments
/// whose errors stay within them: time and memory grow by the segment's square, not the matrix's.
/// </remarks>
public sealed class ErrorFeedback : IDisposable
{
    /// <summary>Columns whose second moments are taken together at the most.</summary>
    public const int SegmentColumns = 4096;

    private readonly List<OwnedMatrixF32> _segments = [];
    private readonly int _width;

    private ErrorFeedback(int columns, int width)
    {
        Columns = columns;
        _width = width;
    }

    public int Columns { get; }

    public int NumSegments => _segments.Count;

    /// <summary>Mean squares of the inputs, damped nowhere: the diagonal of H.</summary>
    public float[] MeanSquare { get; private set; } = [];

    /// <param name="input">The rows that the matrix is multiplied with; null where there are too few to tell more than noise.</param>
    /// <param name="factors">What its channels are divided by; empty for nothing.</param>
    /// <param name="damping">Share of the mean diagonal that is added to it.</param>
    /// <param name="threads">Workers.</param>
    public static ErrorFeedback? Of(MatrixInput input, ReadOnlySpan<float> factors, float damping, int threads)
    {
        int columns = input.Rows.Columns;
        if (input.Rows.Rows < 2)
        {
            return null;
        }

        int count = (columns + SegmentColumns - 1) / SegmentColumns;
        int width = (columns + count - 1) / count;
        // Whole groups of scales within a segment.
        width = (width + 127) / 128 * 128;
        var feedback = new ErrorFeedback(columns, width) { MeanSquare = new float[columns] };
        for (int from = 0; from < columns; from += width)
        {
            int n = Math.Min(width, columns - from);
            var h = new OwnedMatrixF32(n, n);
            feedback._segments.Add(h);
            Gram.Accumulate(input.Pool, input.Rows.SliceColumns(from, n), h);
            double trace = 0;
            for (int i = 0; i < n; i++)
            {
                Span<float> row = h.Row(i);
                if (!factors.IsEmpty)
                {
                    for (int j = 0; j < n; j++)
                    {
                        row[j] /= factors[from + i] * factors[from + j];
                    }
                }

                trace += row[i];
                feedback.MeanSquare[from + i] = row[i] / input.Rows.Rows;
            }

            if (!(trace > 0) || !double.IsFinite(trace))
            {
                feedback.Dispose();
                return null;
            }

            float damp = (float)(trace / n * damping);
            for (int i = 0; i < n; i++)
            {
                h.Row(i)[i] += damp;
            }

            if (!Factor(h, threads))
            {
                feedback.Dispose();
                return null;
            }

            Invert(h, threads);
        }

        return feedback;
    }

    /// <summary>The segment that begins at or holds a column: its U, and its first column.</summary>
    internal (OwnedMatrixF32 U, int First) Segment(int column)
    {
        int index = column / _width;
        return (_segments[index], index * _width);
    }

    public void Dispose() => _segments.ForEach(s => s.Dispose());

    /// <summary>Upper triangle of h becomes R with R·Rᵀ = H.</summary>
    private static bool Factor(OwnedMatrixF32 h, int threads)
    {
        int n = h.Rows;
        var options = new ParallelOptions { MaxDegreeOfParallelism = threads };
        // Columns in panels from the right: within a panel one by one, then all rows above take its products off at once.
        const int panel = 64;
        for (int end = n; end > 0; end -= panel)
        {
            int begin = Math.Max(0, end - panel);
            for (int j = end - 1; j >= begin; j--)
            {
                Span<float> rowJ = h.Row(j);
                double d = rowJ[j] - VectorSpan.Dot(rowJ[(j + 1)..end], rowJ[(j + 1)..end]);
                if (!(d > 0))
                {
                    return false;
                }

                float diagonal = (float)Math.Sqrt(d);
                rowJ[j] = diagonal;
                for (int i = begin; i < j; i++)
                {
                    Span<float> rowI = h.Row(i);
                    rowI[j] = (rowI[j] - VectorSpan.Dot(rowI[(j + 1)..end], rowJ[(j + 1)..end])) / diagonal;
                }
            }

            int first = begin;
            int last = end;
            Parallel.For(0, first, options, i =>
            {
                Span<float> rowI = h.Row(i);
                for (int j = last - 1; j >= first; j--)
                {
                    ReadOnlySpan<float> rowJ = h.Row(j);
                    rowI[j] = (rowI[j] - VectorSpan.Dot(rowI[(j + 1)..last], rowJ[(j + 1)..last])) / rowJ[j];
                }
            });
            Parallel.For(0, first, options, i =>
            {
                Span<float> rowI = h.Row(i);
                for (int k = i; k < first; k++)
                {
                    rowI[k] -= VectorSpan.Dot(rowI[first..last], h.Row(k)[first..last]);
                }
            });
        }

        return true;
    }

    /// <summary>Upper triangle becomes its inverse, row by row from the last; what is below the diagonal becomes zero.</summary>
    private static void Invert(OwnedMatrixF32 r, int threads)
    {
        int n = r.Rows;
        const int width = 256;
        int blocks = (n + width - 1) / width;
        using var u = new OwnedMatrixF32(n, n);
        // Columns of the inverse do not know each other.
        Parallel.For(0, blocks, new ParallelOptions { MaxDegreeOfParallelism = threads }, block =>
        {
            int from = block * width;
            int to = Math.Min(n, from + width);
            for (int i = to - 1; i >= 0; i--)
            {
                Span<float> row = u.Row(i)[from..to];
                ReadOnlySpan<float> rowR = r.Row(i);
                for (int k = i + 1; k < to; k++)
                {
                    VectorSpan.AddScaled(row, u.Row(k)[from..to], -rowR[k]);
                }

                if (i >= from)
                {
                    row[i - from] += 1;
                }

                float inverse = 1 / rowR[i];
                for (int j = 0; j < row.Length; j++)
                {
                    row[j] *= inverse;
                }
            }
        });
        for (int i = 0; i < n; i++)
        {
            u.Row(i).CopyTo(r.Row(i));
        }
    }
}
