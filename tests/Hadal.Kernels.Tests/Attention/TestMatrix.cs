namespace Hadal.Kernels.Tests.Attention;

/// <summary>A matrix whose last element is the last byte before a guard page; what lies between its rows must stay as it was.</summary>
internal sealed unsafe class TestMatrix : IDisposable
{
    private readonly GuardedMemory _memory;

    public TestMatrix(int rows, int columns, int gap = 0)
    {
        nint stride = columns + gap;
        nint count = rows == 0 ? 0 : ((rows - 1) * stride) + columns;
        _memory = new GuardedMemory(count * sizeof(float));
        View = new MatrixF32(_memory.Floats, rows, columns, stride);
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
        for (int r = 0; r < expected.View.Rows; r++)
        {
            for (int i = 0; i < expected.View.Columns; i++)
            {
                float e = expected.View.Row(r)[i];
                float a = actual.View.Row(r)[i];
                bool close = float.IsFinite(e) ? Math.Abs((double)a - e) <= tolerance * (1 + Math.Abs(e)) : e.Equals(a);
                if (!close)
                {
                    Assert.Fail($"[{r}, {i}]: expected {e:R}, got {a:R}, tolerance {tolerance} ({context})");
                }
            }
        }

        actual.AssertGapsUntouched(context);
    }

    public static void AssertSameBits(TestMatrix expected, TestMatrix actual, string context)
    {
        for (int r = 0; r < expected.View.Rows; r++)
        {
            for (int i = 0; i < expected.View.Columns; i++)
            {
                float e = expected.View.Row(r)[i];
                float a = actual.View.Row(r)[i];
                if (BitConverter.SingleToInt32Bits(e) != BitConverter.SingleToInt32Bits(a))
                {
                    Assert.Fail($"[{r}, {i}]: expected exactly {e:R}, got {a:R} ({context})");
                }
            }
        }

        actual.AssertGapsUntouched(context);
    }

    public void Dispose() => _memory.Dispose();

    private void AssertGapsUntouched(string context)
    {
        for (int r = 0; r + 1 < View.Rows; r++)
        {
            for (nint i = View.Columns; i < View.Stride; i++)
            {
                if (((int*)View.Row(r))[i] != -1)
                {
                    Assert.Fail($"row {r}: wrote {i - View.Columns} floats behind its columns ({context})");
                }
            }
        }
    }
}
