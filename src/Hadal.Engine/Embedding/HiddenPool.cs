using Hadal.Numerics;

namespace Hadal.Engine.Embedding;

/// <summary>
/// Pools the hidden states of one prompt as its chunks are computed. The sum is float64 and goes token by token, so that the way the prompt was cut
/// into chunks adds nothing of its own. Touched only by the engine's thread.
/// </summary>
internal sealed class HiddenPool(EmbeddingWish wish)
{
    private double[] _sum = [];
    private int _numTokens;

    /// <summary>No token may be missing: a prefix from the cache has keys and values, but no hidden states.</summary>
    public bool NeedsEveryToken => wish.Pooling == Pooling.Mean;

    /// <param name="rows">[n, <paramref name="hiddenSize"/>]: the tokens from <paramref name="firstPosition"/> on.</param>
    /// <param name="hiddenSize">D.</param>
    /// <param name="firstPosition">0 begins anew: a preempted prompt is computed again from its start.</param>
    public void Add(ReadOnlySpan<float> rows, int hiddenSize, int firstPosition)
    {
        if (_sum.Length == 0)
            _sum = new double[hiddenSize];
        if (firstPosition == 0)
        {
            Array.Clear(_sum);
            _numTokens = 0;
        }

        if (firstPosition != _numTokens)
            throw new InvalidOperationException($"hidden states from position {firstPosition} on after those of {_numTokens} tokens");
        for (int at = 0; at < rows.Length; at += hiddenSize)
        {
            ReadOnlySpan<float> row = rows.Slice(at, hiddenSize);
            for (int i = 0; i < row.Length; i++)
                _sum[i] += row[i];
            _numTokens++;
        }
    }

    /// <summary>Takes the last token's hidden state alone.</summary>
    public void Set(ReadOnlySpan<float> row)
    {
        if (_sum.Length == 0)
            _sum = new double[row.Length];
        for (int i = 0; i < row.Length; i++)
            _sum[i] = row[i];
        _numTokens = 1;
    }

    /// <summary>The embedding.</summary>
    /// <exception cref="HadalException">An element is NaN or infinite.</exception>
    public float[] Finish()
    {
        float[] vector = new float[wish.Dimensions];
        double squares = 0;
        for (int i = 0; i < vector.Length; i++)
        {
            double value = _sum[i] / _numTokens;
            if (!double.IsFinite(value))
                throw new HadalException($"The hidden states are not finite (element {i} is {value}): the model or its weights are damaged, or its activations overflow.");
            squares += value * value;
            vector[i] = (float)value;
        }

        // A vector of zeros has no direction to keep.
        if (wish.Normalize && squares > 0)
        {
            double scale = 1 / Math.Sqrt(squares);
            for (int i = 0; i < vector.Length; i++)
                vector[i] = (float)(_sum[i] / _numTokens * scale);
        }

        return vector;
    }
}
