using System.Numerics;
using System.Numerics.Tensors;
using Hadal.Numerics;

namespace Hadal.Engine.Sampling;

/// <summary>
/// Chooses the next token from a row of logits: bias, penalties, ban on ends, temperature, top-k, top-p, min-p, draw.
/// Uses scratch of its own and allocates only what <see cref="LogProbs"/> returns. One thread.
/// </summary>
/// <remarks>
/// The draw walks the kept tokens in order of id, so its result depends on the row, the parameters and one random number alone.
/// Top-k and top-p keep, among equal weights at the edge, the lowest ids. Top-p counts in shares of what top-k left.
/// </remarks>
internal sealed class Sampler(int vocabSize)
{
    private const int Stride = 512;

    // Relative to the most likely token. Real distributions are peaked: the first floor nearly always leaves enough, and few.
    private readonly float[] _floors = [1e-3f, 1e-6f, 0f];

    private readonly float[] _logits = new float[vocabSize];
    private readonly float[] _weights = new float[vocabSize];
    private readonly double[] _strideSums = new double[(vocabSize + Stride - 1) / Stride];
    private readonly float[] _kept = new float[vocabSize];
    private readonly int[] _keptIds = new int[vocabSize];
    private readonly float[] _selection = new float[vocabSize];

    /// <exception cref="HadalException">The row holds NaN, or no finite largest value.</exception>
    public int Sample(ReadOnlySpan<float> row, SamplingState state)
    {
        if (state.ChangesLogits)
        {
            // Before a ban can hide them: NaN and infinity end an answer wherever they stand.
            if (state.Constraint is { IsActive: true } && !float.IsFinite(TensorPrimitives.Max(row)))
                return Choose(row, state.Parameters, 0);
            row.CopyTo(_logits);
            state.Apply(_logits);
            row = _logits;
        }

        SamplingParams p = state.Parameters;
        return Choose(row, p, p.Temperature == 0f ? 0 : Philox.NextDouble(state.Seed, (uint)state.NumGenerated, (uint)state.ChoiceIndex));
    }

    /// <summary>
    /// A guess at what <see cref="Sample"/> will choose when the sequence is <paramref name="ahead"/> tokens longer, from a drafter's logits: the same
    /// transforms and the same random number, so that where the drafter's distribution is the model's the tokens are the same.
    /// Penalties count the tokens there are. -1 where the row is not finite.
    /// </summary>
    public int SampleDraft(ReadOnlySpan<float> row, SamplingState state, int ahead)
    {
        if (state.ChangesLogits)
        {
            row.CopyTo(_logits);
            state.Apply(_logits);
            row = _logits;
        }

        SamplingParams p = state.Parameters;
        float max = TensorPrimitives.Max(row);
        if (!float.IsFinite(max))
            return -1;
        return p.Temperature == 0f
            ? LogitMath.FirstIndexOf(row, max)
            : Draw(row, max, p, Philox.NextDouble(state.Seed, (uint)(state.NumGenerated + ahead), (uint)state.ChoiceIndex));
    }

    /// <summary>Whether a token's probability, after biases, penalties and bans and before temperature, is at least this share of the most likely token's.</summary>
    public bool IsNearBest(ReadOnlySpan<float> row, SamplingState state, int token, float share)
    {
        if (state.ChangesLogits)
        {
            row.CopyTo(_logits);
            state.Apply(_logits);
            row = _logits;
        }

        return row[token] >= TensorPrimitives.Max(row) + MathF.Log(share);
    }

    /// <summary>As <see cref="Sample"/>, from logits that nothing changes and with the random number given.</summary>
    internal int Choose(ReadOnlySpan<float> row, SamplingParams parameters, double uniform)
    {
        float max = TensorPrimitives.Max(row); // NaN if any is
        if (!float.IsFinite(max))
            throw new HadalException($"No token can be chosen: the largest logit is {max}, not a finite number. NaN or infinity comes from the model's weights or a kernel; negative infinity means that every token was banned.");
        return parameters.Temperature == 0f ? LogitMath.FirstIndexOf(row, max) : Draw(row, max, parameters, uniform);
    }

    /// <summary>The log-probability of a token under the raw logits, and the most likely ones.</summary>
    public TokenLogProb LogProbs(ReadOnlySpan<float> row, int token, int numTop)
    {
        double logSum = LogitMath.LogSumExp(row, _weights);
        if (!double.IsFinite(logSum))
            throw new HadalException($"The logits hold NaN or infinity (the logarithm of their summed exponentials is {logSum}), so token {token} has no probability. It comes from the model's weights or a kernel.");
        if (numTop == 0)
            return new(token, (float)(row[token] - logSum), []);
        Span<float> values = _selection.AsSpan(0, Math.Min(numTop, row.Length));
        Span<int> ids = _keptIds.AsSpan(0, values.Length);
        int count = LogitMath.TopN(row, values, ids);
        var top = new (int TokenId, float LogProb)[count];
        for (int i = 0; i < count; i++)
            top[i] = (ids[i], (float)(values[i] - logSum));
        return new(token, (float)(row[token] - logSum), top);
    }

    private int Draw(ReadOnlySpan<float> logits, float max, SamplingParams p, double uniform)
    {
        Span<float> weights = _weights.AsSpan(0, logits.Length);
        TensorPrimitives.Subtract(logits, max, weights);
        // Divide, not multiply by 1/T: at a tiny T that is infinite, and 0 * infinity would be NaN at the maximum.
        if (p.Temperature != 1f)
            TensorPrimitives.Divide(weights, p.Temperature, weights);
        TensorPrimitives.Exp(weights, weights);
        bool hasTopK = p.TopK > 0 && p.TopK < weights.Length;
        if (!hasTopK && p.TopP >= 1f && p.MinP <= 0f)
            return DrawFromAll(weights, uniform);

        int count = Gather(weights, p, hasTopK);
        if (hasTopK && p.TopK < count)
            count = Keep(count, WeightCut.ByCount(CopyForSelection(count), p.TopK));
        if (p.TopP < 1f)
        {
            double mass = hasTopK ? LogitMath.Sum(_kept.AsSpan(0, count)) : SumOf(_strideSums);
            count = Keep(count, WeightCut.ByMass(CopyForSelection(count), p.TopP * mass));
        }

        if (p.MinP > 0f)
            count = Keep(count, new(p.MinP, int.MaxValue)); // the largest weight is exp(0) = 1
        return DrawFromKept(count, uniform);
    }

    private int DrawFromAll(ReadOnlySpan<float> weights, double uniform)
    {
        SumStrides(weights);
        double left = uniform * SumOf(_strideSums);
        int last = 0;
        for (int s = 0; s < _strideSums.Length; s++)
        {
            if (left >= _strideSums[s] && s < _strideSums.Length - 1)
            {
                left -= _strideSums[s];
                continue;
            }

            int end = Math.Min((s + 1) * Stride, weights.Length);
            for (int i = s * Stride; i < end; i++)
            {
                if (weights[i] <= 0f)
                    continue;
                last = i;
                left -= weights[i];
                if (left < 0)
                    return i;
            }
        }

        // Only roundings lead here: the sum of a stride and the walk through it add up in different orders.
        return weights[last] > 0f ? last : LogitMath.FirstIndexOf(weights, 1f);
    }

    private int DrawFromKept(int count, double uniform)
    {
        double left = uniform * LogitMath.Sum(_kept.AsSpan(0, count));
        for (int i = 0; i < count; i++)
        {
            left -= _kept[i];
            if (left < 0)
                return _keptIds[i];
        }

        return _keptIds[count - 1];
    }

    /// <summary>Collects, in order of id, a set of weights that surely holds all that top-k, top-p and min-p will leave.</summary>
    private int Gather(ReadOnlySpan<float> weights, SamplingParams p, bool hasTopK)
    {
        if (!hasTopK && p.TopP >= 1f)
            return GatherAbove(weights, p.MinP, out _);
        double mass = 0;
        if (!hasTopK)
        {
            SumStrides(weights);
            mass = p.TopP * SumOf(_strideSums);
        }

        foreach (float floor in _floors)
        {
            int count = GatherAbove(weights, floor, out double gathered);
            if (hasTopK ? count >= p.TopK : gathered >= mass)
                return count;
        }

        return GatherAbove(weights, 0f, out _);
    }

    private int GatherAbove(ReadOnlySpan<float> weights, float floor, out double mass)
    {
        // A weight of 0 can never be drawn.
        floor = Math.Max(floor, float.Epsilon);
        var floors = new Vector<float>(floor);
        int count = 0;
        int i = 0;
        mass = 0;
        while (i < weights.Length)
        {
            if (i <= weights.Length - Vector<float>.Count && Vector.LessThanAll(new Vector<float>(weights[i..]), floors))
            {
                i += Vector<float>.Count;
                continue;
            }

            int end = Math.Min(i + Vector<float>.Count, weights.Length);
            for (; i < end; i++)
            {
                if (weights[i] < floor)
                    continue;
                _kept[count] = weights[i];
                _keptIds[count++] = i;
                mass += weights[i];
            }
        }

        return count;
    }

    private int Keep(int count, WeightCut cut)
    {
        int kept = 0;
        int numEqual = cut.NumEqual;
        for (int i = 0; i < count; i++)
        {
            if (_kept[i] < cut.Weight || (_kept[i] == cut.Weight && numEqual-- <= 0))
                continue;
            _kept[kept] = _kept[i];
            _keptIds[kept++] = _keptIds[i];
        }

        return kept;
    }

    private Span<float> CopyForSelection(int count)
    {
        _kept.AsSpan(0, count).CopyTo(_selection);
        return _selection.AsSpan(0, count);
    }

    private void SumStrides(ReadOnlySpan<float> weights)
    {
        for (int s = 0; s < _strideSums.Length; s++)
            _strideSums[s] = LogitMath.Sum(weights.Slice(s * Stride, Math.Min(Stride, weights.Length - (s * Stride))));
    }

    private static double SumOf(double[] sums)
    {
        double sum = 0;
        foreach (double part in sums)
            sum += part;
        return sum;
    }
}
