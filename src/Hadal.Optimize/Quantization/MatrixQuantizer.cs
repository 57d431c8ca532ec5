using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Hadal.Kernels;
using Hadal.Numerics;

namespace Hadal.Optimize.Quantization;

/// <summary>Quantises one matrix, 128 rows at a time, and hands its tensors out as they lie in the file.</summary>
public static class MatrixQuantizer
{
    private const int ChunkRows = 128;

    // Columns between two passes of errors over all columns behind: within, one by one.
    private const int FeedbackColumns = 128;

    /// <summary>Receives the next bytes of one of the tensors that <see cref="MatrixSettings.Plan"/> names; index as there.</summary>
    public delegate void Append(int tensor, ReadOnlySpan<byte> bytes);

    /// <param name="rows">The matrix.</param>
    /// <param name="settings">How; its plan must be possible.</param>
    /// <param name="importance">Mean squares of the inputs [K]; empty where nothing is known of them.</param>
    /// <param name="feedback">Second moments of the inputs, for GPTQ; null for rounding to nearest.</param>
    /// <param name="threads">Workers.</param>
    /// <param name="append">Where the bytes go.</param>
    /// <returns>Σ importance·(w − ŵ)² and Σ importance·w².</returns>
    public static MatrixError Quantize(MatrixRows rows, MatrixSettings settings, float[] importance, ErrorFeedback? feedback, int threads, Append append)
    {
        int n = rows.Rows;
        int k = rows.Columns;
        int group = settings.Group(k);
        int groups = k / group;
        int rowBytes = settings.Format switch
        {
            WeightFormat.Bf16 => k * 2,
            WeightFormat.Int4 => (k + 7) / 8 * 4,
            WeightFormat.Int8Weight => (k + 3) / 4 * 4,
            _ => k,
        };
        using var values = new OwnedMatrixF32(Math.Min(ChunkRows, n), k);
        using var original = new OwnedMatrixF32(Math.Min(ChunkRows, n), k);
        byte[] codes = new byte[Math.Min(ChunkRows, n) * rowBytes];
        int blockColumns = (k + MatrixSettings.BlockSide - 1) / MatrixSettings.BlockSide;
        float[] scales = new float[settings.Format == WeightFormat.Fp8Block ? blockColumns : Math.Min(ChunkRows, n) * groups];
        double[] errors = new double[Math.Min(ChunkRows, n)];
        double[] squares = new double[Math.Min(ChunkRows, n)];
        var options = new ParallelOptions { MaxDegreeOfParallelism = threads };
        double error = 0;
        double total = 0;
        for (int first = 0; first < n; first += ChunkRows)
        {
            int count = Math.Min(ChunkRows, n - first);
            int chunk = first;
            Each(options, count, r =>
            {
                Span<float> row = values.Row(r);
                rows.Read(chunk + r, row);
                row.CopyTo(original.Row(r));
            });
            if (settings.Format == WeightFormat.Fp8Block)
            {
                BlockScales(values, count, scales);
            }

            Array.Clear(codes);
            Each(options, count, r =>
            {
                Span<float> row = values.Row(r);
                Span<byte> rowCodes = codes.AsSpan(r * rowBytes, rowBytes);
                Span<float> rowScales = settings.Format == WeightFormat.Fp8Block ? scales : scales.AsSpan(r * groups, groups);
                if (settings.Format is WeightFormat.Fp8Channel or WeightFormat.Int8)
                {
                    float most = settings.Format == WeightFormat.Int8 ? 127 : 448;
                    float absMax = VectorSpan.AbsMax(row);
                    rowScales[0] = absMax == 0 ? 1 : absMax / most;
                }
                else if (settings.Format == WeightFormat.Int8Weight || (settings.Format == WeightFormat.Int4 && feedback is null))
                {
                    for (int g = 0; g < groups; g++)
                    {
                        rowScales[g] = GroupScale.Best(row.Slice(g * group, group), importance.Length == 0 ? [] : importance.AsSpan(g * group, group), settings.Format == WeightFormat.Int4 ? 4 : 8);
                    }
                }

                if (feedback is null || settings.Format == WeightFormat.Bf16)
                {
                    for (int i = 0; i < row.Length; i++)
                    {
                        row[i] = Round(settings.Format, row[i], ScaleOf(settings.Format, rowScales, i, group), rowCodes, i);
                    }
                }
                else
                {
                    RoundWithFeedback(settings, row, rowScales, group, feedback, rowCodes);
                }

                ReadOnlySpan<float> before = original.Row(r);
                double e = 0;
                double s = 0;
                for (int i = 0; i < row.Length; i++)
                {
                    double d = before[i] - row[i];
                    double weight = importance.Length == 0 ? 1 : importance[i];
                    e += weight * d * d;
                    s += weight * before[i] * before[i];
                }

                errors[r] = e;
                squares[r] = s;
            });
            append(0, codes.AsSpan(0, count * rowBytes));
            if (settings.Format is WeightFormat.Int4 or WeightFormat.Int8Weight)
            {
                ushort[] bf16 = [.. scales.Take(count * groups).Select(Bf16.FromSingle)];
                append(1, MemoryMarshal.AsBytes(bf16.AsSpan()));
            }
            else if (settings.Format != WeightFormat.Bf16)
            {
                append(1, MemoryMarshal.AsBytes(settings.Format == WeightFormat.Fp8Block ? scales.AsSpan() : scales.AsSpan(0, count)));
            }

            error += errors.Take(count).Sum();
            total += squares.Take(count).Sum();
        }

        if (settings.Format is WeightFormat.Int4 or WeightFormat.Int8Weight)
        {
            Span<byte> shape = stackalloc byte[16];
            BinaryPrimitives.WriteInt64LittleEndian(shape, n);
            BinaryPrimitives.WriteInt64LittleEndian(shape[8..], k);
            append(2, shape);
        }

        return new MatrixError(error, total);
    }

    private static void Each(ParallelOptions options, int count, Action<int> body)
    {
        if (options.MaxDegreeOfParallelism == 1)
        {
            for (int i = 0; i < count; i++)
            {
                body(i);
            }

            return;
        }

        try
        {
            Parallel.For(0, count, options, body);
        }
        catch (AggregateException e) when (e.InnerExceptions.OfType<HadalException>().FirstOrDefault() is { } inner)
        {
            throw new HadalException(inner.Message, inner);
        }
    }

    private static void BlockScales(OwnedMatrixF32 values, int count, float[] scales)
    {
        Array.Clear(scales);
        for (int r = 0; r < count; r++)
        {
            ReadOnlySpan<float> row = values.Row(r);
            for (int b = 0; b < scales.Length; b++)
            {
                scales[b] = MathF.Max(scales[b], VectorSpan.AbsMax(row.Slice(b * MatrixSettings.BlockSide, Math.Min(MatrixSettings.BlockSide, row.Length - (b * MatrixSettings.BlockSide)))));
            }
        }

        for (int b = 0; b < scales.Length; b++)
        {
            scales[b] = scales[b] == 0 ? 1 : scales[b] / 448;
        }
    }

    private static float ScaleOf(WeightFormat format, ReadOnlySpan<float> scales, int column, int group)
        => format switch
        {
            WeightFormat.Bf16 => 1,
            WeightFormat.Fp8Block => scales[column / MatrixSettings.BlockSide],
            _ => scales[column / group],
        };

    /// <summary>Rounds one weight, writes its code, and says what it is now.</summary>
    private static float Round(WeightFormat format, float value, float scale, Span<byte> codes, int column)
    {
        switch (format)
        {
            case WeightFormat.Bf16:
                ushort bits = Bf16.FromSingle(value);
                BinaryPrimitives.WriteUInt16LittleEndian(codes[(2 * column)..], bits);
                return Bf16.ToSingle(bits);
            case WeightFormat.Fp8Block or WeightFormat.Fp8Channel:
                byte code = Fp8.E4M3FromSingle(value / scale);
                codes[column] = code;
                return Fp8.E4M3ToSingle(code) * scale;
            case WeightFormat.Int8 or WeightFormat.Int8Weight:
                float q8 = Math.Clamp(MathF.Round(value / scale), -127, 127);
                codes[column] = format == WeightFormat.Int8 ? (byte)(sbyte)q8 : (byte)((int)q8 + 128);
                return q8 * scale;
            default:
                float q4 = Math.Clamp(MathF.Round(value / scale), -8, 7);
                codes[column / 2] |= (byte)(((int)q4 + 8) << (column % 2 * 4));
                return q4 * scale;
        }
    }

    private static void RoundWithFeedback(MatrixSettings settings, Span<float> row, Span<float> scales, int group, ErrorFeedback feedback, Span<byte> codes)
    {
        Span<float> errors = stackalloc float[FeedbackColumns];
        for (int begin = 0; begin < row.Length;)
        {
            (OwnedMatrixF32 u, int first) = feedback.Segment(begin);
            int segmentEnd = Math.Min(row.Length, first + u.Columns);
            int end = Math.Min(segmentEnd, begin + FeedbackColumns);
            for (int i = begin; i < end; i++)
            {
                if (settings.Format == WeightFormat.Int4 && i % group == 0)
                {
                    // Of the weights as errors have made them by now. Groups longer than a pass see what passes before it have done.
                    scales[i / group] = GroupScale.Best(row.Slice(i, group), feedback.MeanSquare.AsSpan(i, group), 4);
                }

                float w = row[i];
                float rounded = Round(settings.Format, w, ScaleOf(settings.Format, scales, i, group), codes, i);
                ReadOnlySpan<float> rowU = u.Row(i - first);
                float e = (w - rounded) / rowU[i - first];
                errors[i - begin] = e;
                row[i] = rounded;
                VectorSpan.AddScaled(row[(i + 1)..end], rowU[(i + 1 - first)..], -e);
            }

            for (int i = begin; i < end; i++)
            {
                VectorSpan.AddScaled(row[end..segmentEnd], u.Row(i - first)[(end - first)..], -errors[i - begin]);
            }

            begin = end;
        }
    }
}
