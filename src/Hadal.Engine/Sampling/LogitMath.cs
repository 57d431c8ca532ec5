using System.Numerics;
using System.Numerics.Tensors;

namespace Hadal.Engine.Sampling;

/// <summary>Passes over a row of logits or weights.</summary>
internal static class LogitMath
{
    private const int Stride = 256;

    /// <summary>The lowest index whose value equals <paramref name="value"/>; -1 if none.</summary>
    public static int FirstIndexOf(ReadOnlySpan<float> row, float value)
    {
        // Span.IndexOf is scalar for floats, and IndexOfMax ranks +0 above -0, where equal logits must give the lowest id.
        var wanted = new Vector<float>(value);
        int i = 0;
        for (; i <= row.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            if (Vector.EqualsAny(new Vector<float>(row[i..]), wanted))
                break;
        }

        for (; i < row.Length; i++)
        {
            if (row[i] == value)
                return i;
        }

        return -1;
    }

    /// <summary>Sum in double precision.</summary>
    public static double Sum(ReadOnlySpan<float> row)
    {
        Vector<double> low = Vector<double>.Zero;
        Vector<double> high = Vector<double>.Zero;
        int i = 0;
        for (; i <= row.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector.Widen(new Vector<float>(row[i..]), out Vector<double> a, out Vector<double> b);
            low += a;
            high += b;
        }

        double sum = Vector.Sum(low + high);
        for (; i < row.Length; i++)
            sum += row[i];
        return sum;
    }

    /// <summary>log Σ exp(x), shifted by the maximum; terms in float, their sum in double.</summary>
    public static double LogSumExp(ReadOnlySpan<float> row, Span<float> scratch)
    {
        float max = TensorPrimitives.Max(row);
        scratch = scratch[..row.Length];
        TensorPrimitives.Subtract(row, max, scratch);
        TensorPrimitives.Exp(scratch, scratch);
        return max + Math.Log(Sum(scratch));
    }

    /// <summary>The largest values and their indices, best first, lowest index first among equals. Fills both spans unless the row is shorter.</summary>
    public static int TopN(ReadOnlySpan<float> row, Span<float> values, Span<int> indices)
    {
        int count = 0;
        for (int start = 0; start < row.Length && values.Length > 0; start += Stride)
        {
            ReadOnlySpan<float> part = row.Slice(start, Math.Min(Stride, row.Length - start));
            // After the first stretches hardly any holds a value that belongs in the list: one vector pass says so.
            if (count == values.Length && !(TensorPrimitives.Max(part) > values[count - 1]))
                continue;
            for (int i = 0; i < part.Length; i++)
            {
                if (count == values.Length && !(part[i] > values[count - 1]))
                    continue;
                int at = count < values.Length ? count++ : count - 1;
                for (; at > 0 && part[i] > values[at - 1]; at--)
                {
                    values[at] = values[at - 1];
                    indices[at] = indices[at - 1];
                }

                values[at] = part[i];
                indices[at] = start + i;
            }
        }

        return count;
    }
}
