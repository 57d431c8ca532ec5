using System.Text;

namespace Hadal.TestKit;

/// <summary>Comparisons of float arrays whose failure says where, how far and how often.</summary>
public static class TensorAssert
{
    /// <summary>|actual - expected| ≤ absolute + relative · |expected| everywhere; infinities and NaN at the same places.</summary>
    /// <param name="context">What reproduces the case: shapes and seed.</param>
    public static void Close(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected, float absolute, float relative, string context)
    {
        Check(actual, expected, context, (a, e) =>
        {
            if (float.IsNaN(e) || float.IsInfinity(e))
            {
                return a.Equals(e) ? 0 : double.PositiveInfinity;
            }

            double error = Math.Abs((double)a - e) / (absolute + (relative * Math.Abs((double)e)) + double.Epsilon);
            return double.IsNaN(error) ? double.PositiveInfinity : error;
        });
    }

    /// <summary>The same bits; any NaN equals any other.</summary>
    public static void BitEqual(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected, string context)
        => Check(actual, expected, context, (a, e) => BitConverter.SingleToInt32Bits(a) == BitConverter.SingleToInt32Bits(e) || (float.IsNaN(a) && float.IsNaN(e)) ? 0 : double.PositiveInfinity);

    private static void Check(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected, string context, Func<float, float, double> error)
    {
        if (actual.Length != expected.Length)
        {
            throw new TensorAssertException($"{context}: {actual.Length} values, expected {expected.Length}");
        }

        int failures = 0;
        int worst = -1;
        double worstError = 1;
        for (int i = 0; i < actual.Length; i++)
        {
            double e = error(actual[i], expected[i]);
            if (e > 1)
            {
                failures++;
                if (worst < 0 || e > worstError)
                {
                    worst = i;
                    worstError = e;
                }
            }
        }

        if (failures > 0)
        {
            var message = new StringBuilder();
            message.Append($"{context}: {failures} of {actual.Length} values differ; worst at [{worst}]: ");
            message.Append($"{actual[worst]:R} (0x{BitConverter.SingleToInt32Bits(actual[worst]):X8}), expected {expected[worst]:R} (0x{BitConverter.SingleToInt32Bits(expected[worst]):X8}), {worstError:G3} times the tolerance");
            throw new TensorAssertException(message.ToString());
        }
    }
}
