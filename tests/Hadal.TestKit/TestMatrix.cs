using Hadal.Kernels;

namespace Hadal.TestKit;

/// <summary>A matrix whose last element is the last byte before a guard page; what lies between its rows must stay as it was.</summary>
public sealed unsafe class TestMatrix : IDisposable
{
    private readonly GuardedBuffer _memory;

    public TestMatrix(int rows, int columns, int gap = 0)
    {
        nint stride = columns + gap;
        nint count = rows == 0 ? 0 : ((rows - 1) * stride) + columns;
        _memory = GuardedBuffer.Of<float>(count);
        View = new MatrixF32(_memory.As<float>(), rows, columns, stride);
    }

    public MatrixF32 View { get; }

    public static TestMatrix Random(Random random, int rows, int columns, int gap = 0, double scale = 1)
    {
        var m = new TestMatrix(rows, columns, gap);
        for (int r = 0; r < rows; r++)
        {
            Fill(random, m.View.RowSpan(r), scale);
        }

        return m;
    }

    public static void Fill(Random random, Span<float> values, double scale = 1)
    {
        for (int i = 0; i < values.Length; i++)
        {
            // Box and Muller.
            double u = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
            values[i] = (float)(scale * u * Math.Cos(2 * Math.PI * random.NextDouble()));
        }
    }

    public void CopyFrom(TestMatrix other)
    {
        for (int r = 0; r < View.Rows; r++)
        {
            other.View.RowSpan(r).CopyTo(View.RowSpan(r));
        }
    }

    /// <summary>|actual - expected| ≤ tolerance · (1 + |expected|), NaN and infinities in the same places, gaps untouched.</summary>
    public static void AssertClose(TestMatrix expected, TestMatrix actual, double tolerance, string context)
    {
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(actual);
        for (int r = 0; r < expected.View.Rows; r++)
        {
            TensorAssert.Close(actual.View.RowSpan(r), expected.View.RowSpan(r), (float)tolerance, (float)tolerance, $"row {r} ({context})");
        }

        actual.AssertGapsUntouched(context);
    }

    public static void AssertSameBits(TestMatrix expected, TestMatrix actual, string context)
    {
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(actual);
        for (int r = 0; r < expected.View.Rows; r++)
        {
            TensorAssert.BitEqual(actual.View.RowSpan(r), expected.View.RowSpan(r), $"row {r} ({context})");
        }

        actual.AssertGapsUntouched(context);
    }

    public void Dispose() => _memory.Dispose();

    private void AssertGapsUntouched(string context)
    {
        _memory.CheckSentinels();
        for (int r = 0; r + 1 < View.Rows; r++)
        {
            for (nint i = View.Columns; i < View.Stride; i++)
            {
                if (((int*)View.Row(r))[i] != -1)
                {
                    throw new TensorAssertException($"{context}: row {r}: wrote {i - View.Columns} floats behind its columns");
                }
            }
        }
    }
}
